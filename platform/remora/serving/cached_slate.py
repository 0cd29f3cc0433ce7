"""The last whole slates of users, for when no new one can be made in time: better than popular items."""

from __future__ import annotations

import numpy as np
from cachetools import LRUCache

from remora.core.vocabulary import ItemCodes
from remora.pipeline import EMPTY, Query, Retrieved, Slate

Key = tuple[str | None, str, int | None]


class CachedSlate:
    """A source over what this replica last showed: the last slate for a user, surface and seed, the ``most`` used last.

    It outlives the live items: it keeps rows of the bundle's own items alone, which mean the same in all of its
    vocabularies. It belongs to the event loop and has no lock. A slate of a hundred items is 0.4 KB. What was learned
    of the user since is not in it, so the filters of the fallback chain run over it again, and ``degraded`` names it.
    """

    takes_live_rows = True

    def __init__(self, most: int) -> None:
        self._kept: LRUCache[Key, ItemCodes] = LRUCache(most)

    def keep(self, query: Query, slate: Slate, live_from: int | None = None) -> None:
        """Remember a slate that nothing was left out of; one that is degraded, or without a user, is not kept, nor are
        live items, which have the rows from ``live_from`` on."""
        if query.user_id is None or slate.degraded or not len(slate.candidates):
            return
        rows = slate.candidates.rows
        if live_from is not None:
            if query.seed_item is not None and query.seed_item >= live_from:
                return
            rows = rows[rows < live_from]
        self._kept[_key(query)] = rows

    def find(self, query: Query) -> Retrieved:
        """The rows of the slate in their order, without scores: they were of another moment."""
        rows = self._kept.get(_key(query))
        return EMPTY if rows is None else Retrieved(rows, np.full(len(rows), np.nan, np.float32))


def _key(query: Query) -> Key:
    return (query.user_id, query.surface, query.seed_item)
