"""A search of settings by Ray Tune: what is tried, the outcome, its report."""
