"""Where time is cut in four: retrieval training, ranking training, validation, test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import polars as pl
import pyarrow as pa

from remora.core.errors import DataError
from remora.core.tables import EVENT_TIMESTAMP
from remora.ingest.lake import Lake
from remora.settings import Settings

LEAST_DAYS = 40
"""With fewer days of events a midnight is too coarse a place to cut."""


class Window(NamedTuple):
    """Events with ``start`` <= event_timestamp < ``end``, both UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """Four windows that touch; every event of the lake is in exactly one."""

    start: datetime
    retrieval_end: datetime
    ranking_end: datetime
    validation_end: datetime
    end: datetime

    @property
    def retrieval(self) -> Window:
        """What the towers learn from."""
        return Window(self.start, self.retrieval_end)

    @property
    def ranking(self) -> Window:
        """Where the ranker's training queries are asked."""
        return Window(self.retrieval_end, self.ranking_end)

    @property
    def validation(self) -> Window:
        """Where anything may be chosen."""
        return Window(self.ranking_end, self.validation_end)

    @property
    def test(self) -> Window:
        """Where nothing is chosen."""
        return Window(self.validation_end, self.end)


def time_split(settings: Settings, lake: Lake) -> TimeSplit:
    """Cut at the shares of events in ``settings.split``, deterministically.

    With at least 40 days that have events, each cut is the midnight (UTC) whose share of earlier events is nearest to
    the one asked for, so that the daily snapshots of a window's first day know nothing of it. With fewer, it is the
    whole second at which the share is reached. DataError when the cuts would coincide.
    """
    unit = timedelta(days=1) if len(lake.days()) >= LEAST_DAYS else timedelta(seconds=1)
    counted = _events_per(unit, lake)
    borders = counted["unit"] + unit  # after the last event of each unit
    shares = counted["count"].cum_sum() / counted["count"].sum()
    borders_at = (
        settings.split.retrieval,
        settings.split.retrieval + settings.split.ranking,
        settings.split.retrieval + settings.split.ranking + settings.split.validation,
    )
    ends = [borders[int((shares - share).abs().arg_min() or 0)] for share in borders_at]
    if not lake.first < ends[0] < ends[1] < ends[2] <= lake.last:
        raise DataError(
            f"{counted['count'].sum():,} events between {lake.first} and {lake.last} cannot be cut at the shares "
            f"{', '.join(f'{s:.2f}' for s in borders_at)}: the cuts coincide at {', '.join(str(e) for e in ends)}. "
            f"Bring events of a longer time, or change `split`."
        )
    return TimeSplit(start=lake.first, retrieval_end=ends[0], ranking_end=ends[1], validation_end=ends[2], end=lake.end)


def _events_per(unit: timedelta, lake: Lake) -> pl.DataFrame:
    """Events by day or second: columns ``unit`` (its start) and ``count``, in order."""
    every = "1d" if unit == timedelta(days=1) else "1s"

    def count(batch: pa.Table) -> pa.Table:
        times = pl.from_arrow(batch.select([EVENT_TIMESTAMP]))
        assert isinstance(times, pl.DataFrame)
        return times.group_by(pl.col(EVENT_TIMESTAMP).dt.truncate(every).alias("unit")).len("count").to_arrow()

    # A row per unit and block: at most 40 days of seconds, or one row a day.
    parts = lake.events(columns=[EVENT_TIMESTAMP]).map_batches(count, batch_format="pyarrow", batch_size=None)
    tables = [pl.DataFrame(pl.from_arrow(t)) for t in parts.iter_batches(batch_format="pyarrow", batch_size=None)]
    counted = pl.concat([t for t in tables if t.height]).group_by("unit").agg(pl.col("count").sum()).sort("unit")
    return counted.with_columns(pl.col("unit").cast(pl.Datetime("us", UTC.tzname(None))))
