"""Datasets made from the lake with Ray Data: the temporal split, queries, sequences, rows for the ranker."""
