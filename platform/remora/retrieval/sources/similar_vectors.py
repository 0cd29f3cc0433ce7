"""Items whose vectors lie nearest to that of the item one is looking at."""

from __future__ import annotations

from dataclasses import dataclass

from remora.pipeline import Query, Retrieved
from remora.pipeline.candidates import EMPTY
from remora.retrieval.index import ItemIndex
from remora.retrieval.sources.unseen import drop_seen, overfetch


@dataclass(frozen=True, kw_only=True)
class SimilarVectors:
    """The item tower's answer; it has one for an item without events."""

    index: ItemIndex
    limit: int
    skip_seen: bool = True

    def find(self, query: Query) -> Retrieved:
        """Cosine with the seed, best first; nothing without a seed."""
        if query.seed_item is None:
            return EMPTY
        seed = self.index.vector(query.seed_item).copy()
        seed[-1] = 0.0  # likeness alone: how popular an item is does not make it more alike
        found = self.index.search(seed, self.limit + overfetch(query, skip_seen=self.skip_seen))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)
