"""In which order is the slate shown? One rule a file."""
