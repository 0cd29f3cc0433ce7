"""Datasets made from the lake with Ray Data: the cuts of time, queries, sequences, rows for the ranker."""
