"""Ordering candidates: which columns the ranker reads, and the scorer that reads them."""
