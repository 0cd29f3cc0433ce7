"""The first pass over events: what will be accepted, on which days, why not, and which rows are there twice.

Only 128 bits of each event's id, its day and its place are moved, so that whole rows are moved once: in the second
pass, when it is known that the run goes through.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.core.tables import DAY, EVENT_ID, EVENT_TIMESTAMP, ITEM_ID, TIMESTAMP
from remora.ingest.contract import DUPLICATE, FUTURE, REASON, UNKNOWN_ITEM, RowValidator
from remora.ingest.doubts import Doubts
from remora.ingest.event_ids import keys
from remora.ingest.files import ORDER
from remora.ingest.inspect import TableSources
from remora.ingest.row_counts import merged_examples
from remora.ingest.rows import Rows, source_rows

if TYPE_CHECKING:
    from remora.ingest.incremental import DuplicateScope, PreviousLake

PARTITION_ROWS = 1_000_000

_PARTIAL = pa.schema(
    [
        ("partition", pa.int32()),
        ("low", pa.uint64()),
        ("high", pa.uint64()),
        (ORDER, pa.int64()),  # null where the row stands for `rows` rejected ones
        ("kept", pa.bool_()),  # an event of the lake before
        (DAY, pa.date32()),
        ("reason", pa.string()),
        ("rows", pa.int64()),
        ("item", pa.string()),  # that events were rejected for
        ("first_future", TIMESTAMP),  # the first of the rejected rows
        ("doubt", pa.string()),  # what `rows` rows are doubted for; with an item, an example of it
    ]
)


@dataclass(frozen=True)
class EventScan:
    """``days``: events to accept a day; ``reasons``: rows by reason; ``duplicates``: their places, sorted, int64.

    ``superseded``: events of the lake before that come again in a row that stands before theirs. ``unknown_items``,
    ``first_future``, ``doubts`` and ``examples`` as in :class:`~remora.ingest.row_counts.RowCounts`.
    """

    days: dict[date, int]
    reasons: dict[str, int]
    duplicates: npt.NDArray[np.int64]
    superseded: int = 0
    unknown_items: frozenset[str] = frozenset()
    first_future: datetime | None = None
    doubts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Events to accept."""
        return sum(self.days.values())

    @property
    def rejected(self) -> int:
        """Rows for the quarantine."""
        return sum(self.reasons.values())


@dataclass
class _Sums:
    days: Counter[date] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    duplicates: list[npt.NDArray[np.int64]] = field(default_factory=lambda: [np.empty(0, np.int64)])
    superseded: int = 0
    unknown: set[str] = field(default_factory=set)
    first_future: datetime | None = None
    doubts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, lines: pl.DataFrame) -> None:
        """One partition's lines."""
        twice = lines.filter(pl.col(ORDER).is_not_null())
        self.duplicates.append(twice.filter(~pl.col("kept"))[ORDER].to_numpy())
        self.superseded += int(twice["kept"].sum())
        counted = lines.filter(pl.col(ORDER).is_null())
        columns = ("reason", DAY, "rows", "item", "first_future", "doubt")
        for reason, day, rows, item, first_future, doubt in counted.select(columns).iter_rows():
            if doubt is not None:
                self.doubts.update({doubt: rows} if rows else {})
                self.examples = merged_examples(self.examples, {doubt: [item]} if item is not None else {})
                continue
            if reason is None:
                self.days[day] += rows
                continue
            self.reasons[reason] += rows
            self.unknown.update([item] if item is not None else [])
            if first_future is not None:
                self.first_future = min(first_future, self.first_future or first_future)


def scan_events(
    empty: Rows,
    sources: TableSources,
    validators: list[RowValidator],
    before: PreviousLake | None = None,
    scope: DuplicateScope = "none",
    doubts: Doubts | None = None,
) -> EventScan:
    """One pass; equal event ids come together by their hash, the first row in source order stays.

    ``empty`` says how rows are read. With ``before``, the sources are what is new, and its events on the days of
    ``scope`` are among the rows.
    """
    if not sources.rows:
        return EventScan({}, {}, np.empty(0, np.int64))
    partitions = max(1, math.ceil(sources.rows / PARTITION_ROWS))
    scanning = partial(scan_batch, partitions=partitions, doubts=doubts or Doubts())
    partials = source_rows(empty, sources, [partial(scanning, validator=validator) for validator in validators])
    if before is not None and scope != "none":
        partials = _with_those_before(partials, before, scope, partitions)
    sums = _Sums()
    for lines in partials.grouped("partition", partitions).map(count).tables():
        sums.add(pl.DataFrame(pl.from_arrow(lines)))
    places = np.sort(np.concatenate(sums.duplicates))
    if len(places):
        sums.reasons[DUPLICATE] += len(places)
    days, unknown = dict(sorted(sums.days.items())), frozenset(sums.unknown)
    return EventScan(
        days,
        dict(sums.reasons),
        places,
        sums.superseded,
        unknown,
        sums.first_future,
        dict(sorted(sums.doubts.items())),
        sums.examples,
    )


def scan_batch(raw: pa.Table, *, validator: RowValidator, partitions: int, doubts: Doubts) -> pa.Table:
    """A line for each row that may be accepted, and one for each reason and doubt with how many rows have it."""
    validated = validator(raw)
    valid = validated.filter(pl.col(REASON).is_null())
    days = valid.select(ORDER, pl.lit(False).alias("kept"), pl.col(EVENT_TIMESTAMP).dt.date().alias(DAY))
    lines = _keyed(days, valid[EVENT_ID].to_arrow(), partitions)
    broken = (
        validated.filter(pl.col(REASON).is_not_null())
        .group_by(
            pl.col(REASON).alias("reason"), pl.when(pl.col(REASON) == UNKNOWN_ITEM).then(pl.col(ITEM_ID)).alias("item")
        )
        .agg(pl.len().alias("rows"), pl.col(EVENT_TIMESTAMP).min().alias("first_future"))
        .with_columns(pl.when(pl.col("reason") == FUTURE).then("first_future"), partition=0)
    )
    doubted = doubts(raw, validated, validator.source).with_columns(partition=0)
    return _as_partial(pl.concat([lines, broken, doubted], how="diagonal_relaxed"))


def scan_previous(events: pa.Table, *, partitions: int) -> pa.Table:
    """The same for events of the lake before: columns ORDER and event_id."""
    lines = pl.DataFrame(pl.from_arrow(events)).select(ORDER, pl.lit(True).alias("kept"))
    return _as_partial(_keyed(lines, events[EVENT_ID], partitions))


def count(partials: pa.Table) -> pa.Table:
    """One partition: a line for each duplicate with its place, one a day, one a reason."""
    frame = pl.DataFrame(pl.from_arrow(partials))
    # A shuffle delivers rows in any order, and the first in the order of the sources is the one that stays.
    valid = frame.filter(pl.col(ORDER).is_not_null()).sort(ORDER)
    first = valid.select(pl.struct("low", "high").is_first_distinct()).to_series()
    duplicates = valid.filter(~first).select(ORDER, "kept")
    days = valid.filter(first & ~valid["kept"]).group_by(DAY).len("rows")
    broken = frame.filter(pl.col(ORDER).is_null()).group_by("reason", "item", "doubt")
    reasons = broken.agg(pl.col("rows").sum(), pl.col("first_future").min())
    return _as_partial(pl.concat([duplicates, days, reasons], how="diagonal_relaxed"))


def _with_those_before(partials: Rows, before: PreviousLake, scope: DuplicateScope, partitions: int) -> Rows:
    """The lines of what is new, and those of the lake before that may be of the same events."""
    partials = partials.materialize()  # read once: its days are needed first
    days: set[date] | None = None
    if scope == "same day":
        days = {day for found in partials.map(_days_of).tables() for day in found[DAY].to_pylist()}
    kept = before.ids_of_events(days)
    return partials.plus(kept, partial(scan_previous, partitions=partitions)) if kept else partials


def _days_of(partials: pa.Table) -> pa.Table:
    return pl.DataFrame(pl.from_arrow(partials)).select(DAY).drop_nulls().unique().to_arrow()


def _keyed(lines: pl.DataFrame, ids: pa.Array | pa.ChunkedArray, partitions: int) -> pl.DataFrame:
    halves = pl.DataFrame(pl.from_arrow(keys(ids)))
    partition = (pl.col("low") % pl.lit(partitions, pl.UInt64)).cast(pl.Int32)
    return lines.hstack(halves).with_columns(partition=partition, rows=1)


def _as_partial(frame: pl.DataFrame) -> pa.Table:
    absent = [pl.lit(None).alias(name) for name in _PARTIAL.names if name not in frame.columns]
    return frame.with_columns(absent).select(_PARTIAL.names).to_arrow().cast(_PARTIAL)
