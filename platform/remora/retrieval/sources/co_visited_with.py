"""Items that go with the item one is looking at."""

from __future__ import annotations

from dataclasses import dataclass

from remora.pipeline import Query, Retrieved
from remora.pipeline.candidates import EMPTY
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.sources.unseen import drop_seen


@dataclass(frozen=True, kw_only=True)
class CoVisitedWith:
    """Neighbours of the query's item."""

    neighbours: Neighbours
    limit: int
    skip_seen: bool = True

    def find(self, query: Query) -> Retrieved:
        """Co-visitation with the seed, best first; nothing without a seed."""
        if query.seed_item is None:
            return EMPTY
        return drop_seen(query, self.neighbours.of(query.seed_item), self.limit, skip_seen=self.skip_seen)
