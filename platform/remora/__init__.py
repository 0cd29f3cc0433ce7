"""Remora: an end-to-end recommender platform that rides on Ray."""

__version__ = "0.1.0"
