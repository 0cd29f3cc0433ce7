"""Items that come after what the user wanted lately."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.from_history import FromHistory


@dataclass(frozen=True, kw_only=True)
class NextItems(FromHistory):
    """By the linear model of the next item; ``fade`` is that of its decay."""
