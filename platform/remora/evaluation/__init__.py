"""Judging: metrics as mergeable sums, replay of pipelines over held-out queries, intervals over users."""
