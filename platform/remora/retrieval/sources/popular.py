"""What most people wanted: the end of the fallback chain, and a baseline."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.static_ranking import StaticRanking


@dataclass(frozen=True, kw_only=True)
class Popular(StaticRanking):
    """By the popularity of the item snapshot."""

    limit: int | None = None
