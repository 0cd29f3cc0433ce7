"""The networks of the history encoders, in PyTorch: one file a network."""
