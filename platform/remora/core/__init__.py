"""The nouns that every other package shares: errors, tables, ids, where things are kept."""
