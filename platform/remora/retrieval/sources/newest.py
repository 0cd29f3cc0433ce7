"""Items that are new, those first that lie nearest to the user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from remora.contracts.vocabulary import ItemCodes
from remora.pipeline import Query, Retrieved
from remora.pipeline.candidates import Floats
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.sources.unseen import drop_seen, overfetch


@dataclass(frozen=True, kw_only=True)
class Newest:
    """A quota for items without events or that came lately: among all, those that many want stand before them.

    ``new`` (items,) says which they are, ``age_days`` (items,) how old, NaN where that is not known. A user of whom
    nothing is known gets the youngest first; then a score is the age, less than nothing.
    """

    encoder: UserEncoder
    index: ItemIndex
    new: npt.NDArray[np.bool_]
    age_days: Floats
    limit: int
    skip_seen: bool = True

    def find(self, query: Query) -> Retrieved:
        """Cosine of user and item by its content, best first."""
        enough = self.limit + overfetch(query, skip_seen=self.skip_seen)
        if query.user_found or len(query.history):
            found = self.index.search(self.encoder.encode(query), enough, allowed=self.new)
        else:
            # A user of whom nothing is known has no vector to search with.
            rows = self.youngest[:enough]
            found = Retrieved(rows, -self.age_days[rows].astype(np.float32))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)

    @cached_property
    def youngest(self) -> ItemCodes:
        """Rows (n,) of new items of known age, the youngest first; ties by row."""
        rows = np.flatnonzero(self.new & ~np.isnan(self.age_days))
        return rows[np.argsort(self.age_days[rows], kind="stable")].astype(np.int32)
