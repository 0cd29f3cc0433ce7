"""The first pass over events: what will be accepted, on which days, why not, and which rows are there twice.

Only 128 bits of each event's id, its day and its place are moved, so that whole rows are moved once: in the second
pass, when it is known that the run goes through.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.contracts.tables import DAY, EVENT_ID, EVENT_TIMESTAMP
from remora.ingest.contract import DUPLICATE, REASON, Judge
from remora.ingest.datasource import dataset_of
from remora.ingest.files import ORDER
from remora.ingest.identity import keys
from remora.ingest.survey import TableSources

PARTITION_ROWS = 1_000_000

_BALLOT = pa.schema(
    [
        ("partition", pa.int32()),
        ("low", pa.uint64()),
        ("high", pa.uint64()),
        (ORDER, pa.int64()),  # null where the row stands for `rows` rejected ones
        (DAY, pa.date32()),
        ("reason", pa.string()),
        ("rows", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Census:
    """``days``: events to accept a day; ``reasons``: rows by reason; ``doubles``: their places, sorted, int64."""

    days: dict[date, int]
    reasons: dict[str, int]
    doubles: npt.NDArray[np.int64]

    @property
    def accepted(self) -> int:
        """Events to accept."""
        return sum(self.days.values())

    @property
    def rejected(self) -> int:
        """Rows for the quarantine."""
        return sum(self.reasons.values())


def take_census(sources: TableSources, judges: list[Judge]) -> Census:
    """One pass with Ray Data; equal event ids come together by their hash, the first row in source order stays."""
    partitions = max(1, math.ceil(sources.rows / PARTITION_ROWS))
    ballots = dataset_of(sources, [partial(ballot, judge=judge, partitions=partitions) for judge in judges])
    counted = ballots.repartition(partitions, keys=["partition"]).map_batches(
        count, batch_size=None, batch_format="pyarrow"
    )
    days, reasons, doubles = Counter[date](), Counter[str](), [np.empty(0, np.int64)]
    for batch in counted.iter_batches(batch_size=None, batch_format="pyarrow"):
        frame = pl.DataFrame(pl.from_arrow(batch))
        doubles.append(frame[ORDER].drop_nulls().to_numpy())
        for reason, day, rows in frame.filter(pl.col(ORDER).is_null()).select("reason", DAY, "rows").iter_rows():
            if reason is None:
                days[day] += rows
            else:
                reasons[reason] += rows
    places = np.sort(np.concatenate(doubles))
    if len(places):
        reasons[DUPLICATE] += len(places)
    return Census(dict(sorted(days.items())), dict(reasons), places)


def ballot(raw: pa.Table, *, judge: Judge, partitions: int) -> pa.Table:
    """A line for each row that may be accepted, and one for each reason with how many rows have it."""
    judged = judge(raw)
    valid = judged.filter(pl.col(REASON).is_null())
    halves = pl.DataFrame(pl.from_arrow(keys(valid[EVENT_ID].to_arrow())))
    lines = valid.select(ORDER, pl.col(EVENT_TIMESTAMP).dt.date().alias(DAY)).hstack(halves)
    lines = lines.with_columns(partition=(pl.col("low") % pl.lit(partitions, pl.UInt64)).cast(pl.Int32), rows=1)
    broken = judged.filter(pl.col(REASON).is_not_null()).group_by(pl.col(REASON).alias("reason")).len("rows")
    return _as_ballot(pl.concat([lines, broken.with_columns(partition=0)], how="diagonal_relaxed"))


def count(ballots: pa.Table) -> pa.Table:
    """One partition: a line for each double with its place, one a day, one a reason."""
    frame = pl.DataFrame(pl.from_arrow(ballots))
    valid = frame.filter(pl.col(ORDER).is_not_null()).sort(ORDER)
    first = valid.select(pl.struct("low", "high").is_first_distinct()).to_series()
    doubles = valid.filter(~first).select(ORDER)
    days = valid.filter(first).group_by(DAY).len("rows")
    reasons = frame.filter(pl.col(ORDER).is_null()).group_by("reason").agg(pl.col("rows").sum())
    return _as_ballot(pl.concat([doubles, days, reasons], how="diagonal_relaxed"))


def _as_ballot(frame: pl.DataFrame) -> pa.Table:
    absent = [pl.lit(None).alias(name) for name in _BALLOT.names if name not in frame.columns]
    return frame.with_columns(absent).select(_BALLOT.names).to_arrow().cast(_BALLOT)
