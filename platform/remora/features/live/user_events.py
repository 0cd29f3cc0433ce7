"""The events of each user: those of a lake, and those that came since."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from remora.core.tables import EVENT_ID, USER_ID
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
    """Events of a lake in ``base``, those ``collected`` since, and those that are added.

    All have the columns of ``base``, with ``source_row``, by which events of one instant are ordered: what is added
    stands behind the lake's, in the order in which it came. Of events with one id the first counts. At most the last
    ``most`` of a user are given, by the order in which they came.
    """

    def __init__(self, base: pl.DataFrame, collected: pl.DataFrame | None = None, *, most: int) -> None:
        last = base[SOURCE_ROW].max() if SOURCE_ROW in base.columns else None
        self._next_row = (last if isinstance(last, int) else 0) + 1
        self._base, self._most = SortedEvents(base), most
        self._schema = {**base.schema, SOURCE_ROW: pl.Int64()}
        self._added = SortedEvents(base.clear())
        self._ids: set[str] = set()
        self._loose: dict[str, list[tuple[Any, ...]]] = {}
        self._loose_rows = 0
        if collected is not None:
            self._merge(collected.unique(EVENT_ID, keep="first", maintain_order=True))

    def add(self, events: Iterable[Mapping[str, Any]]) -> list[str]:
        """Take events in the order in which they came; those whose id is known are left out. Whose state they change.

        An id that the lake alone has is found when the user's events are asked for.
        """
        touched: dict[str, None] = {}
        for event in events:
            id, user = event[EVENT_ID], event[USER_ID]
            if id in self._ids:
                continue
            self._ids.add(id)
            touched[user] = None
            numbered = {**event, SOURCE_ROW: self._next_row}
            self._next_row += 1
            self._loose.setdefault(user, []).append(tuple(numbered.get(name) for name in self._schema))
            self._loose_rows += 1
        if self._loose_rows > MOST_LOOSE:
            self._added = SortedEvents(pl.concat([self._added.table, self._frame(self._loose)]))
            self._loose, self._loose_rows = {}, 0
        return list(touched)

    def users(self) -> list[str]:
        """Everyone who has events, those with added ones first."""
        return list(dict.fromkeys([*self.added_users(), *self._base.users()]))

    def added_users(self) -> list[str]:
        """Who has events that the lake does not have."""
        return list(dict.fromkeys([*self._added.users(), *self._loose]))

    def has_added(self, user: str) -> bool:
        """Is this one of them?"""
        return user in self._loose or user in self._added.users()

    def of(self, users: Sequence[str]) -> pl.DataFrame:
        """All their events."""
        tables = [part for part in (self._base.of(users), self._added.of(users)) if len(part)]
        found = pl.concat([*tables, self._frame(users)])
        found = found.unique(EVENT_ID, keep="first", maintain_order=True)
        if len(found) <= self._most:
            return found
        return found.group_by(USER_ID, maintain_order=True).tail(self._most)

    def _frame(self, users: Iterable[str]) -> pl.DataFrame:
        """Events of users that are not sorted yet."""
        rows = [row for user in users for row in self._loose.get(user, ())]
        return pl.DataFrame(rows, schema=self._schema, orient="row").select(self._base.table.columns)

    def _merge(self, events: pl.DataFrame) -> None:
        self._ids.update(events[EVENT_ID].to_list())
        rows = pl.int_range(self._next_row, self._next_row + len(events), dtype=pl.Int64).alias(SOURCE_ROW)
        self._next_row += len(events)
        numbered = events.with_columns(rows)
        absent = [pl.lit(None, kind).alias(name) for name, kind in self._schema.items() if name not in numbered.columns]
        columns = [pl.col(name).cast(kind) for name, kind in self._base.table.schema.items()]
        self._added = SortedEvents(numbered.with_columns(absent).select(columns))
