"""Hide what cannot be had."""

from __future__ import annotations

from dataclasses import dataclass

from remora.pipeline import Candidates, Mask, Query


@dataclass(frozen=True, kw_only=True)
class UnavailableItems:
    """Is the item there and in stock? ``available`` holds one answer for each item row, shape (n_items,)."""

    available: Mask

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """False for rows that are not available, shape (n,)."""
        return self.available[candidates.rows]
