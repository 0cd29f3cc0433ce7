"""How good is each candidate, where nothing learned says so? One rule a file."""
