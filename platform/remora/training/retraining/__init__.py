"""Runs that are scheduled: what became of each, who is told when one fails, and which one is late."""
