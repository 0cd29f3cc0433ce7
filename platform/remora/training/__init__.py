"""Training jobs on Ray Train, and the steps of the whole run."""
