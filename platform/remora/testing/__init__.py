"""What components promise, as tests for those that others write."""
