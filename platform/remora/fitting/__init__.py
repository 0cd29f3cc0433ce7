"""Fitting models with Ray Train: runs that continue where they were cut off, their checkpoints and their reports."""
