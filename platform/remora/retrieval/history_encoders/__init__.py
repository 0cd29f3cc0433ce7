"""What reads a history of items, as components: one file an encoder. Their networks are in `history_networks`."""
