"""Runs that are scheduled: what became of each, who is alerted when one fails, and which one is late."""
