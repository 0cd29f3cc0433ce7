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

from remora.contracts.tables import DAY, EVENT_ID, EVENT_TIMESTAMP, ITEM_ID, TIMESTAMP
from remora.ingest.contract import DUPLICATE, FUTURE, REASON, UNKNOWN_ITEM, RowValidator
from remora.ingest.datasource import dataset_of
from remora.ingest.doubts import Doubts
from remora.ingest.event_ids import keys
from remora.ingest.files import ORDER
from remora.ingest.inspect import TableSources
from remora.ingest.row_counts import merged_examples

if TYPE_CHECKING:
    from ray.data import Dataset

    from remora.ingest.incremental import PreviousLake, Twins

PARTITION_ROWS = 1_000_000

_BALLOT = pa.schema(
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
        ("due", TIMESTAMP),  # the first of the rejected rows
        ("doubt", pa.string()),  # what `rows` rows are doubted for; with an item, an example of it
    ]
)


@dataclass(frozen=True)
class EventScan:
    """``days``: events to accept a day; ``reasons``: rows by reason; ``duplicates``: their places, sorted, int64.

    ``superseded``: events of the lake before that come again in a row that stands before theirs. ``unknown_items``,
    ``due``, ``doubts`` and ``examples`` as in the books.
    """

    days: dict[date, int]
    reasons: dict[str, int]
    duplicates: npt.NDArray[np.int64]
    superseded: int = 0
    unknown_items: frozenset[str] = frozenset()
    due: datetime | None = None
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
    due: datetime | None = None
    doubts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, lines: pl.DataFrame) -> None:
        """One partition's lines."""
        twice = lines.filter(pl.col(ORDER).is_not_null())
        self.duplicates.append(twice.filter(~pl.col("kept"))[ORDER].to_numpy())
        self.superseded += int(twice["kept"].sum())
        counted = lines.filter(pl.col(ORDER).is_null())
        columns = ("reason", DAY, "rows", "item", "due", "doubt")
        for reason, day, rows, item, due, doubt in counted.select(columns).iter_rows():
            if doubt is not None:
                self.doubts.update({doubt: rows} if rows else {})
                self.examples = merged_examples(self.examples, {doubt: [item]} if item is not None else {})
                continue
            if reason is None:
                self.days[day] += rows
                continue
            self.reasons[reason] += rows
            self.unknown.update([item] if item is not None else [])
            self.due = min(due, self.due or due) if due is not None else self.due


def scan_events(
    sources: TableSources,
    judges: list[RowValidator],
    before: PreviousLake | None = None,
    twins: Twins = "none",
    doubts: Doubts | None = None,
) -> EventScan:
    """One pass with Ray Data; equal event ids come together by their hash, the first row in source order stays.

    With ``before``, the sources are what is new, and its events on the days of ``twins`` are among the rows.
    """
    if not sources.rows:
        return EventScan({}, {}, np.empty(0, np.int64))
    partitions = max(1, math.ceil(sources.rows / PARTITION_ROWS))
    ballots = dataset_of(
        sources, [partial(ballot, judge=judge, partitions=partitions, doubts=doubts or Doubts()) for judge in judges]
    )
    if before is not None and twins != "none":
        ballots = _with_those_before(ballots, before, twins, partitions)
    counted = ballots.repartition(partitions, keys=["partition"]).map_batches(
        count, batch_size=None, batch_format="pyarrow"
    )
    sums = _Sums()
    for batch in counted.iter_batches(batch_size=None, batch_format="pyarrow"):
        sums.add(pl.DataFrame(pl.from_arrow(batch)))
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
        sums.due,
        dict(sorted(sums.doubts.items())),
        sums.examples,
    )


def ballot(raw: pa.Table, *, judge: RowValidator, partitions: int, doubts: Doubts) -> pa.Table:
    """A line for each row that may be accepted, and one for each reason and doubt with how many rows have it."""
    judged = judge(raw)
    valid = judged.filter(pl.col(REASON).is_null())
    days = valid.select(ORDER, pl.lit(False).alias("kept"), pl.col(EVENT_TIMESTAMP).dt.date().alias(DAY))
    lines = _keyed(days, valid[EVENT_ID].to_arrow(), partitions)
    broken = (
        judged.filter(pl.col(REASON).is_not_null())
        .group_by(
            pl.col(REASON).alias("reason"), pl.when(pl.col(REASON) == UNKNOWN_ITEM).then(pl.col(ITEM_ID)).alias("item")
        )
        .agg(pl.len().alias("rows"), pl.col(EVENT_TIMESTAMP).min().alias("due"))
        .with_columns(pl.when(pl.col("reason") == FUTURE).then("due"), partition=0)
    )
    doubted = doubts(raw, judged, judge.source).with_columns(partition=0)
    return _as_ballot(pl.concat([lines, broken, doubted], how="diagonal_relaxed"))


def ballot_before(events: pa.Table, *, partitions: int) -> pa.Table:
    """The same for events of the lake before: columns ORDER and event_id."""
    lines = pl.DataFrame(pl.from_arrow(events)).select(ORDER, pl.lit(True).alias("kept"))
    return _as_ballot(_keyed(lines, events[EVENT_ID], partitions))


def count(ballots: pa.Table) -> pa.Table:
    """One partition: a line for each double with its place, one a day, one a reason."""
    frame = pl.DataFrame(pl.from_arrow(ballots))
    valid = frame.filter(pl.col(ORDER).is_not_null()).sort(ORDER)
    first = valid.select(pl.struct("low", "high").is_first_distinct()).to_series()
    duplicates = valid.filter(~first).select(ORDER, "kept")
    days = valid.filter(first & ~valid["kept"]).group_by(DAY).len("rows")
    broken = frame.filter(pl.col(ORDER).is_null()).group_by("reason", "item", "doubt")
    reasons = broken.agg(pl.col("rows").sum(), pl.col("due").min())
    return _as_ballot(pl.concat([duplicates, days, reasons], how="diagonal_relaxed"))


def _with_those_before(ballots: Dataset, before: PreviousLake, twins: Twins, partitions: int) -> Dataset:
    """The ballots of what is new, and those of the lake before that may be of the same events."""
    ballots = ballots.materialize()  # read once: its days are needed first
    days: set[date] | None = None
    if twins == "same day":
        found = ballots.map_batches(_days_of, batch_size=None, batch_format="pyarrow")
        days = {row[DAY] for row in found.iter_rows()}
    kept = before.ids_of_events(days)
    if kept is None:
        return ballots
    kept = kept.map_batches(partial(ballot_before, partitions=partitions), batch_size=None, batch_format="pyarrow")
    return ballots.union(kept)


def _days_of(ballots: pa.Table) -> pa.Table:
    return pl.DataFrame(pl.from_arrow(ballots)).select(DAY).drop_nulls().unique().to_arrow()


def _keyed(lines: pl.DataFrame, ids: pa.Array | pa.ChunkedArray, partitions: int) -> pl.DataFrame:
    halves = pl.DataFrame(pl.from_arrow(keys(ids)))
    partition = (pl.col("low") % pl.lit(partitions, pl.UInt64)).cast(pl.Int32)
    return lines.hstack(halves).with_columns(partition=partition, rows=1)


def _as_ballot(frame: pl.DataFrame) -> pa.Table:
    absent = [pl.lit(None).alias(name) for name in _BALLOT.names if name not in frame.columns]
    return frame.with_columns(absent).select(_BALLOT.names).to_arrow().cast(_BALLOT)
