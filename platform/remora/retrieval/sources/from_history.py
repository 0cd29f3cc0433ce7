"""Sources that add up what goes with each of the user's recent items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remora.pipeline import Query, Retrieved
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.sources.unseen import drop_seen


@dataclass(frozen=True, kw_only=True)
class FromHistory:
    """Neighbours of the last ``seeds`` positive items, each seed counting ``decay`` times the one after it."""

    neighbours: Neighbours
    limit: int
    seeds: int = 30
    decay: float = 0.93
    skip_seen: bool = True

    def find(self, query: Query) -> Retrieved:
        """Summed scores, best first; nothing for a user without history."""
        seeds = query.history[-self.seeds :]
        # The newest seed stands last and counts in full.
        weights = (self.decay ** np.arange(len(seeds))[::-1]).astype(np.float32)
        return drop_seen(query, self.neighbours.of_many(seeds, weights), self.limit, skip_seen=self.skip_seen)
