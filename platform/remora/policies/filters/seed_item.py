"""Hide the item that a page is about from the list of what resembles it."""

from __future__ import annotations

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Mask, Query, StageContext


class SeedItem:
    """Is it another item than the one that similar ones are asked for?"""

    @classmethod
    def from_config(cls, config: ComponentConfig, context: StageContext) -> SeedItem:
        """Needs nothing."""
        return cls()

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """False for ``query.seed_item``, shape (n,)."""
        return candidates.rows != (-1 if query.seed_item is None else query.seed_item)
