"""Sources that give everyone the same order."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from remora.core.vocabulary import ItemCodes
from remora.pipeline import Query, Retrieved
from remora.pipeline.candidates import Floats
from remora.retrieval.sources.unseen import drop_seen, overfetch


@dataclass(frozen=True, kw_only=True)
class StaticRanking:
    """All items by one score (items,), best first, ties by row; an item whose score is NaN is left out.

    ``ranked``: the rows (n,) in that order, where they are known already.
    """

    takes_live_rows = True

    scores: Floats
    limit: int | None
    skip_seen: bool = True
    ranked: ItemCodes | None = None

    @cached_property
    def order(self) -> ItemCodes:
        """Rows (n,) of the items with a score, best first."""
        if self.ranked is not None:
            return self.ranked
        order = np.argsort(-self.scores, kind="stable").astype(np.int32)
        return order[~np.isnan(self.scores[order])]

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        """Some places of the order, whoever asks."""
        rows = self.order[start:stop]
        return Retrieved(rows, self.scores[rows])

    def find(self, query: Query) -> Retrieved:
        """The best that this user has not seen."""
        enough = None if self.limit is None else self.limit + overfetch(query, skip_seen=self.skip_seen)
        rows = self.order[:enough]
        return drop_seen(query, Retrieved(rows, self.scores[rows]), self.limit, skip_seen=self.skip_seen)
