"""The events of each user: those of a lake, and those that came since."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import polars as pl

from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, USER_ID
from remora.ingest.schema import SOURCE_ROW

MOST_LOOSE = 20_000
"""Events since the lake that are not sorted by user yet: sorting them takes tens of milliseconds."""


class SortedEvents:
    """Events in a table in which each user's stand together, and where each begins."""

    def __init__(self, events: pl.DataFrame) -> None:
        self.table = events.sort(USER_ID, maintain_order=True)
        counted = self.table.select(pl.col(USER_ID).rle()).unnest(USER_ID)
        lengths = counted["len"].to_numpy().astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        self._bounds = dict(zip(counted["value"].to_list(), pairwise(starts), strict=True))

    def __contains__(self, user: str) -> bool:
        return user in self._bounds

    def users(self) -> Collection[str]:
        """Who has events here."""
        return self._bounds.keys()

    def of(self, users: Sequence[str]) -> pl.DataFrame:
        """Their events."""
        bounds = [found for user in users if (found := self._bounds.get(user)) is not None]
        rows = [np.arange(start, end) for start, end in bounds]
        chosen: npt.NDArray[np.int64] = np.concatenate(rows) if rows else np.empty(0, np.int64)
        return self.table[chosen]


class UserEvents:
    """Events of a lake in ``base``, and those that are added.

    All have the columns of ``base``, with ``source_row``, by which events of one instant are ordered: what is added
    stands behind the lake's, in the order in which it came. Of events with one id the first counts. At most the last
    ``most`` of a user are given, by the order in which they came.
    """

    def __init__(self, base: pl.DataFrame, *, most: int) -> None:
        self._base, self._most = SortedEvents(base), most
        self._columns = base.schema
        self._added = SortedEvents(base.clear())
        self._loose: list[pl.DataFrame] = []
        self._loose_of: dict[str, list[int]] = {}
        self._ids: set[str] = set()
        last = base[SOURCE_ROW].max() if SOURCE_ROW in base.columns else None
        self._next_row = (last if isinstance(last, int) else 0) + 1
        self._loose_rows = 0

    def add(self, events: pl.DataFrame) -> list[str]:
        """Take events in the order in which they came; those whose id is known are left out. Whose state they change.

        An id that the lake alone has is found when the user's events are asked for.
        """
        fresh = events.filter(~pl.col(EVENT_ID).is_in(self._ids)).unique(EVENT_ID, keep="first", maintain_order=True)
        if fresh.is_empty():
            return []
        self._ids.update(fresh[EVENT_ID].to_list())
        rows = pl.int_range(self._next_row, self._next_row + len(fresh), dtype=pl.Int64)
        self._next_row += len(fresh)
        taken = fresh.with_columns(rows.alias(SOURCE_ROW))
        for name, kind in self._columns.items():
            if name not in taken.columns:
                taken = taken.with_columns(pl.lit(None, kind).alias(name))
        taken = taken.select(pl.col(name).cast(kind) for name, kind in self._columns.items())
        users = taken[USER_ID].unique(maintain_order=True).to_list()
        for user in users:
            self._loose_of.setdefault(user, []).append(len(self._loose))
        self._loose.append(taken)
        self._loose_rows += len(taken)
        if self._loose_rows > MOST_LOOSE:
            self._added = SortedEvents(pl.concat([self._added.table, *self._loose]))
            self._loose, self._loose_of, self._loose_rows = [], {}, 0
        return users

    def added_users(self) -> list[str]:
        """Who has events that the lake does not have."""
        return list(dict.fromkeys([*self._added.users(), *self._loose_of]))

    def of(self, users: Sequence[str]) -> pl.DataFrame:
        """All their events."""
        chunks = sorted({chunk for user in users for chunk in self._loose_of.get(user, ())})
        loose = [self._loose[chunk].filter(pl.col(USER_ID).is_in(users)) for chunk in chunks]
        found = pl.concat([self._base.of(users), self._added.of(users), *loose])
        found = found.unique(EVENT_ID, keep="first", maintain_order=True)
        if len(found) <= self._most:
            return found
        return found.group_by(USER_ID, maintain_order=True).tail(self._most)

    def last_instants(self, users: Sequence[str]) -> pl.DataFrame:
        """``user_id`` and ``event_timestamp`` of the last event of each."""
        return self.of(users).group_by(USER_ID).agg(pl.col(EVENT_TIMESTAMP).max())
