"""What came into the catalogue lately."""

from __future__ import annotations

from dataclasses import dataclass

from remora.retrieval.sources.ranked import Ranked


@dataclass(frozen=True, kw_only=True)
class Newest(Ranked):
    """By age, the youngest first; NaN for what is no longer new."""
