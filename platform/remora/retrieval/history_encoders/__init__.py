"""How a history of items becomes a state: one file an encoder."""
