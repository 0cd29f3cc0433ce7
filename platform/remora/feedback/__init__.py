"""What was served and what followed: one record of a slate, and what becomes of it."""
