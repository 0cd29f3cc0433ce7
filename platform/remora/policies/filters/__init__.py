"""Which candidates may be shown? One rule a file."""
