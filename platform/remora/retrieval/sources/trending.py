"""What is wanted more than it used to be."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.ranked import Ranked


@dataclass(frozen=True, kw_only=True)
class Trending(Ranked):
    """By the trend of the item snapshot."""
