"""Ranking models as components: what learns, is kept, and gives margins."""
