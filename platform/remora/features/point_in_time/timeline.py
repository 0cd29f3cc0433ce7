"""What was valid when: the rows of one view, sorted so that an instant is found by bisection.

For each key the rows stand in the order in which they could first be used. Row i holds the *best* of all rows up to it:
that of the latest event time, then of the latest creation, then the later one in the source. So the last row at or
before an instant answers for the instant, however late other rows were learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.features.point_in_time.keys import keys
from remora.features.point_in_time.times import PER_SECOND, Ticks, Unit, ticks
from remora.features.point_in_time.views import View

Ints = npt.NDArray[np.int64]
NOWHERE = -1


@dataclass(frozen=True)
class Match:
    """For each of n entity rows: ``row`` of the timeline's features, -1 for none; and how it came to that.

    ``expired``: the answer was older than the view's ttl. ``leak``: a later row exists, which a join without time
    would have taken. ``age``: ticks from the answer's event time to the instant, 0 without an answer.
    """

    row: Ints
    expired: npt.NDArray[np.bool_]
    leak: npt.NDArray[np.bool_]
    age: Ticks


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A view's rows of some keys, by key and time. ``runs`` has each key with ``start`` and ``end`` of its rows."""

    view: View
    unit: Unit
    runs: pa.Table
    usable: Ticks  # (rows,) from when
    event: Ticks  # (rows,) event time of the best row so far
    features: pa.Table  # (rows,) of the best row so far, under their output names

    @classmethod
    def build(cls, view: View, unit: Unit, table: pa.Table) -> Timeline:
        """From the source's columns ``view.read``, in the order of the source."""
        names = view.key_names
        frame = keys(table, view.source_keys, names, [view.source.kind(c) for c in view.source_keys])
        event, there = ticks(table[view.timestamp], unit)
        created = ticks(table[view.created], unit) if view.created else None
        usable = event
        if view.known:
            known, learned = ticks(table[view.known], unit)
            usable, there = np.maximum(event, known), there & learned
        there &= frame.select(pl.all_horizontal(pl.all().is_not_null())).to_series().to_numpy() if names else True
        rows = np.flatnonzero(there)
        runs, code = _runs(frame[rows] if names else frame, names, len(rows))
        columns = [code, event[rows]]
        if created is not None:
            # A row without a time of creation loses every tie.
            columns.append(np.where(created[1], created[0], np.iinfo(np.int64).min)[rows])
        order = np.lexsort(columns[::-1])  # by key, event time, creation; stable, so then by the place in the source
        code, rows = code[order], rows[order]
        best = np.arange(len(rows))
        if view.known:
            # In the order in which rows became usable, the best so far is a running maximum of their places in `order`.
            arrival = np.lexsort([usable[rows], code])
            best = np.maximum.accumulate(arrival) if len(arrival) else arrival
            usable = usable[rows][arrival]
        else:
            usable = usable[rows]
        starts = np.searchsorted(code, np.arange(len(runs)))
        ends = np.searchsorted(code, np.arange(len(runs)), "right")
        chosen = rows[best]
        features = table.select([c for c, _ in view.features]).take(pa.array(chosen))
        return cls(
            view=view,
            unit=unit,
            runs=runs.append_column("start", pa.array(starts, pa.int64())).append_column(
                "end", pa.array(ends, pa.int64())
            ),
            usable=usable,
            event=event[chosen],
            features=features.rename_columns([name for _, name in view.features]).combine_chunks(),
        )

    def at(self, entity_rows: pl.DataFrame, instants: Ticks) -> Match:
        """The answer for each entity key (``view.key_names``, n rows) at its instant (n,)."""
        start, end = self._bounds(entity_rows, len(instants))
        after = _bisect(self.usable, start, end, instants)
        row = np.where(after > start, after - 1, NOWHERE)
        found = row != NOWHERE
        age = np.where(found, instants - self._event_of(row), 0)
        expired = found & (age > _limit(self.view.ttl, self.unit))
        return Match(np.where(expired, NOWHERE, row), expired, after < end, np.where(expired, 0, age))

    def take(self, match: Match) -> pa.Table:
        """A row of features for each answer, under the names that the join gives them; null where none exists."""
        return self.features.take(pa.array(match.row, mask=match.row == NOWHERE))

    def _bounds(self, entity_rows: pl.DataFrame, n: int) -> tuple[Ints, Ints]:
        names = self.view.key_names
        if not names:
            return np.zeros(n, np.int64), np.full(n, len(self.usable), np.int64)
        runs = entity_rows.join(pl.DataFrame(self.runs), on=names, how="left", maintain_order="left")
        return runs["start"].fill_null(0).to_numpy(), runs["end"].fill_null(0).to_numpy()

    def _event_of(self, row: Ints) -> Ticks:
        return self.event[np.maximum(row, 0)] if len(self.event) else np.zeros(len(row), np.int64)


def _runs(frame: pl.DataFrame, names: list[str], n: int) -> tuple[pa.Table, Ints]:
    """The different keys, and the number of each row's key among them."""
    if not names:
        return pa.table({"key": pa.array([0])}), np.zeros(n, np.int64)
    different = frame.unique(maintain_order=True).with_row_index("code")
    codes = frame.join(different, on=names, how="left", maintain_order="left")["code"]
    runs = different.drop("code").to_arrow(compat_level=pl.CompatLevel.oldest())
    return runs, codes.to_numpy().astype(np.int64)


def _bisect(values: Ticks, start: Ints, end: Ints, wanted: Ticks) -> Ints:
    """For each i the first position in start[i]:end[i], where values ascend, with one above wanted[i]; else end[i]."""
    low, high = start.copy(), end.copy()
    # All searches at once: as many halvings as the longest run needs, the others stand still when they are done.
    for _ in range(int((end - start).max(initial=0)).bit_length()):
        open_ = low < high
        middle = (low + high) >> 1
        below = values[np.where(open_, middle, 0)] <= wanted
        low = np.where(open_ & below, middle + 1, low)
        high = np.where(open_ & ~below, middle, high)
    return low


def _limit(ttl: timedelta | None, unit: Unit) -> int:
    if not ttl:
        return np.iinfo(np.int64).max
    return (ttl // timedelta(microseconds=1)) * (PER_SECOND[unit] // 1_000_000)
