"""Items that go with what the user wanted lately."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.from_history import FromHistory


@dataclass(frozen=True, kw_only=True)
class CoVisited(FromHistory):
    """By co-visitation."""
