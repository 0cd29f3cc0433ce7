"""What is wanted more than it used to be."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.static_ranking import StaticRanking


@dataclass(frozen=True, kw_only=True)
class Trending(StaticRanking):
    """By the trend of the item snapshot."""
