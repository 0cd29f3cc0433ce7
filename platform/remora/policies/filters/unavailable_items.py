"""Hide what cannot be had."""

from __future__ import annotations

from dataclasses import dataclass

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Mask, Query, StageContext


@dataclass(frozen=True, kw_only=True)
class UnavailableItems:
    """Is the item there and in stock? ``available`` holds one answer for each item row, shape (n_items,)."""

    available: Mask

    @classmethod
    def from_config(cls, config: ComponentConfig, context: StageContext) -> UnavailableItems:
        """Over the items as they are."""
        return cls(available=context.snapshot.available)

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """False for rows that are not available, shape (n,)."""
        return self.available[candidates.rows]
