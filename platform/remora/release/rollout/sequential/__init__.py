"""Confidence bounds that hold at all times together, so that looking at them as often as one likes is allowed."""
