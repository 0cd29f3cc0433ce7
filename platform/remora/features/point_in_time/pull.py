"""Rows of one source in a span of time: all of them, or the last of each key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from remora.features.point_in_time.entity_rows import BLOCK_ROWS
from remora.features.point_in_time.keys import buckets, keys
from remora.features.point_in_time.source import ParquetTable, Slice
from remora.features.point_in_time.times import check_instant, ticks, ticks_of, unit_of

if TYPE_CHECKING:
    from ray.data import Dataset

PLACE, BUCKET = "__place", "__bucket"
MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Pull:
    """Which rows of a source. Both ends belong to the span; None is open. ``latest``: the last of each key, ties broken
    by creation, then by the later place in the source."""

    source: ParquetTable
    keys: tuple[str, ...]
    features: tuple[str, ...]
    timestamp: str
    created: str | None
    start: datetime | None
    end: datetime | None
    latest: bool
    inline_mb: int = 256

    def __post_init__(self) -> None:
        for column in self.columns:
            self.source.kind(column)
        for column in filter(None, (self.timestamp, self.created)):
            check_instant(self.source.kind(column), column, self.source.where)

    @property
    def columns(self) -> list[str]:
        """Columns of the answer."""
        times = [self.timestamp, *([self.created] if self.created else [])]
        return list(dict.fromkeys([*self.keys, *self.features, *times]))

    def table(self) -> pa.Table:
        """The rows of the answer in the order of the source; in this process when the source is small."""
        if self.source.bytes(self.columns) <= self.inline_mb * MIB:
            parts = [self._of(one) for one in self.source.slices(BLOCK_ROWS)]
            whole = pa.concat_tables(parts)
            found = self._last(whole) if self.latest else whole
        else:
            found = pa.concat_tables(self.dataset().iter_batches(batch_format="pyarrow", batch_size=None))
        return found.sort_by(PLACE).drop_columns([PLACE])

    def dataset(self) -> Dataset:
        """The rows of the answer with their :data:`PLACE` in the source as a column; never whole in one process."""
        import ray.data

        slices = [vars(one) | {"groups": list(one.groups)} for one in self.source.slices(BLOCK_ROWS)]
        rows = ray.data.from_items(slices, override_num_blocks=len(slices)).map_batches(
            self._read, batch_format="pyarrow", batch_size=None
        )
        if not self.latest:
            return rows
        count = max(8, -(-self.source.rows // (2 * BLOCK_ROWS)))

        def bucketed(rows: pa.Table) -> pa.Table:
            return rows.append_column(BUCKET, buckets(self._keys(rows), count).cast(pl.Int32).to_arrow())

        def last(rows: pa.Table) -> pa.Table:
            return self._last(rows.drop_columns([BUCKET]))

        return (
            rows.map_batches(bucketed, batch_format="pyarrow", batch_size=None)
            .groupby(BUCKET, num_partitions=count)
            .map_groups(last, batch_format="pyarrow")
        )

    def _read(self, slices: pa.Table) -> Iterator[pa.Table]:
        for one in slices.to_pylist():
            yield self._of(Slice(one["file"], tuple(one["groups"]), one["first"], one["rows"]))

    def _of(self, one: Slice) -> pa.Table:
        """What one slice adds."""
        table = self.source.read(one, self.columns)
        at, there = self._times(table, self.timestamp)
        unit = unit_of([self.source.kind(self.timestamp)])
        if self.start is not None:
            there &= at >= ticks_of(self.start, unit)
        if self.end is not None:
            there &= at <= ticks_of(self.end, unit)
        table = table.append_column(PLACE, pa.array(range(one.first, one.first + len(table)), pa.int64()))
        table = table.filter(pa.array(there))
        return self._last(table) if self.latest else table

    def _last(self, table: pa.Table) -> pa.Table:
        frame = self._keys(table).with_columns(
            at=pl.Series(self._times(table, self.timestamp)[0]),
            created=pl.Series(self._created(table)),
            place=pl.DataFrame(table.select([PLACE]))[PLACE],
        )
        names = frame.columns[:-3]
        chosen = frame.with_row_index("row").sort("at", "created", "place")
        last = chosen.group_by(names).agg(pl.col("row").last()) if names else chosen.select("row").tail(1)
        return table.take(last["row"].sort().to_arrow())

    def _keys(self, table: pa.Table) -> pl.DataFrame:
        names = [f"key {n}" for n in range(len(self.keys))]
        return keys(table, list(self.keys), names, [self.source.kind(key) for key in self.keys])

    def _created(self, table: pa.Table) -> np.ndarray:
        if not self.created:
            return np.zeros(len(table), np.int64)
        at, there = self._times(table, self.created)
        # A row without a time of creation loses every tie.
        return np.where(there, at, np.iinfo(np.int64).min)

    def _times(self, table: pa.Table, column: str) -> tuple[np.ndarray, np.ndarray]:
        return ticks(table[column], unit_of([self.source.kind(column)]))
