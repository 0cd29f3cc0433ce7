"""Hide the item that a page is about from the list of what resembles it."""

from __future__ import annotations

from remora.pipeline import Candidates, Mask, Query


class SeedItem:
    """Is it another item than the one that similar ones are asked for?"""

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """False for ``query.seed_item``, shape (n,)."""
        return candidates.rows != (-1 if query.seed_item is None else query.seed_item)
