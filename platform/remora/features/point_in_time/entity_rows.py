"""The rows that were asked for: a frame, a table, a Ray Dataset or Parquet files, as numbered blocks."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from remora.core.errors import DataError, MissingInput, WrongType
from remora.features.point_in_time.source import ParquetTable, Slice
from remora.features.point_in_time.times import EPOCH, PER_SECOND, check_instant, ticks, unit_of

if TYPE_CHECKING:
    import ray
    from ray.data import Dataset

ROW = "__row"
"""The number of a row among the entity ones, from 0; carried through every stage."""

BLOCK_ROWS = 250_000
EVENT_TIMESTAMP = "event_timestamp"

Entities = Any
"""pandas.DataFrame, pyarrow.Table, ray.data.Dataset, or the path or URL of Parquet files."""


@dataclass(frozen=True, kw_only=True)
class EntityRows:
    """Rows with join keys and an instant each; where they are is one of ``table``, ``source`` and ``blocks``."""

    schema: pa.Schema
    rows: int
    timestamp: str
    table: pa.Table | None = None
    source: ParquetTable | None = None
    blocks: tuple[tuple[ray.ObjectRef[pa.Table], int], ...] = ()

    @classmethod
    def of(cls, entities: Entities, *, naive_is_utc: bool = True) -> EntityRows:
        """Look at the rows without moving them.

        The instant is ``event_timestamp``, else the only column of timestamps. MissingInput without one, WrongType for
        a column without a zone where that does not mean UTC.
        """
        import pandas as pd

        if isinstance(entities, pd.DataFrame):
            entities = pa.Table.from_pandas(entities, preserve_index=False)
        if isinstance(entities, pa.Table):
            where = {"table": entities, "schema": entities.schema.remove_metadata(), "rows": len(entities)}
        elif isinstance(entities, str):
            source = ParquetTable.open(entities)
            where = {"source": source, "schema": source.schema, "rows": source.rows}
        elif _is_dataset(entities):
            where = _blocks(entities)
        else:
            raise DataError(
                f"Cannot ask with a {type(entities).__name__}. Give a pandas DataFrame, an Arrow table, a Ray Dataset "
                f"or the path of Parquet files."
            )
        timestamp = _timestamp(where["schema"])
        kind = where["schema"].field(timestamp).type
        if pa.types.is_timestamp(kind) and kind.tz is None and not naive_is_utc:
            raise WrongType(
                timestamp, str(kind), "a timestamp with a time zone (coerce_tz_aware is off)", "the entity rows"
            )
        return cls(timestamp=timestamp, **where)

    def dataset(self) -> Dataset:
        """Every row with its number in :data:`ROW`, in blocks of about :data:`BLOCK_ROWS`."""
        import ray.data

        if self.table is not None:
            return ray.data.from_arrow(self._tables(self.table))
        if self.source is not None:
            source = self.source
            slices = [vars(one) | {"groups": list(one.groups)} for one in source.slices(BLOCK_ROWS)]
            return ray.data.from_items(slices, override_num_blocks=len(slices)).map_batches(
                _Read(source), batch_format="pyarrow", batch_size=None
            )
        firsts = itertools.accumulate((count for _, count in self.blocks[:-1]), initial=0)
        return ray.data.from_arrow_refs(
            [_task(numbered).remote(block, first) for (block, _), first in zip(self.blocks, firsts, strict=True)]
        )

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rows; of files, of their footers."""
        if self.source is not None:
            return self.source.digest
        if self.table is not None:
            return _digest(self.table)
        import ray

        parts = ray.get([_task(_digest).remote(block) for block, _ in self.blocks])
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    @cached_property
    def bounds(self) -> tuple[datetime | None, datetime | None]:
        """The first and the last instant; None without rows."""
        if self.table is not None:
            found = [_bounds(self.table[self.timestamp])]
        elif self.source is not None:
            source = self.source
            found = [_bounds(source.read(s, [self.timestamp])[self.timestamp]) for s in source.slices(BLOCK_ROWS)]
        else:
            import ray

            found = ray.get([_task(_bounds_of).remote(block, self.timestamp) for block, _ in self.blocks])
        there = [bounds for bounds in found if bounds is not None]
        return (min(b[0] for b in there), max(b[1] for b in there)) if there else (None, None)

    def _tables(self, table: pa.Table) -> list[pa.Table]:
        whole = numbered(table, 0)
        return [whole.slice(first, BLOCK_ROWS) for first in range(0, max(len(whole), 1), BLOCK_ROWS)]


@dataclass(frozen=True)
class _Read:
    """Slices in, their numbered rows out."""

    source: ParquetTable

    def __call__(self, slices: pa.Table) -> Any:
        for one in slices.to_pylist():
            chosen = Slice(one["file"], tuple(one["groups"]), one["first"], one["rows"])
            yield numbered(self.source.read(chosen), chosen.first)


def numbered(table: pa.Table, first: int) -> pa.Table:
    """The table with :data:`ROW`, from ``first`` on."""
    table = table.replace_schema_metadata()
    return table.append_column(ROW, pa.array(np.arange(first, first + len(table))))


def _is_dataset(entities: Any) -> bool:
    from ray.data import Dataset

    return isinstance(entities, Dataset)


def _blocks(dataset: Dataset) -> dict[str, Any]:
    import ray

    refs = dataset.materialize().to_arrow_refs()
    schemas = ray.get([_task(_schema_and_rows).remote(ref) for ref in refs])
    filled = [(ref, schema, rows) for ref, (schema, rows) in zip(refs, schemas, strict=True) if rows]
    if not filled and not schemas:
        raise DataError("The entity Ray Dataset has neither rows nor columns.")
    schema = filled[0][1] if filled else schemas[0][0]
    return {
        "schema": schema.remove_metadata(),
        "rows": sum(rows for _, _, rows in filled),
        "blocks": tuple((ref, rows) for ref, _, rows in filled),
        **({} if filled else {"table": schema.empty_table()}),
    }


def _task(function: Callable[..., Any]) -> Any:
    import ray

    return ray.remote(function)


def _schema_and_rows(table: pa.Table) -> tuple[pa.Schema, int]:
    return table.schema, len(table)


def _digest(table: pa.Table) -> str:
    digest = hashlib.sha256()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.remove_metadata()) as stream:
        stream.write_table(table.replace_schema_metadata().combine_chunks())
    digest.update(sink.getvalue())
    return digest.hexdigest()


def _timestamp(schema: pa.Schema) -> str:
    if EVENT_TIMESTAMP in schema.names:
        check_instant(schema.field(EVENT_TIMESTAMP).type, EVENT_TIMESTAMP, "the entity rows")
        return EVENT_TIMESTAMP
    stamps = [field.name for field in schema if pa.types.is_timestamp(field.type)]
    if len(stamps) != 1:
        hint = f"Name one of {', '.join(stamps)} so." if stamps else "Every row needs the instant it is asked for."
        raise MissingInput("column of the entity rows", EVENT_TIMESTAMP, schema.names, hint)
    return stamps[0]


def _bounds(column: pa.ChunkedArray) -> tuple[datetime, datetime] | None:
    unit = unit_of([column.type])
    numbers, there = ticks(column, unit)
    if not there.any():
        return None
    ends = (numbers[there].min(), numbers[there].max())
    first, last = (EPOCH + timedelta(microseconds=int(end) // (PER_SECOND[unit] // 1_000_000)) for end in ends)
    return first, last


def _bounds_of(table: pa.Table, timestamp: str) -> tuple[datetime, datetime] | None:
    return _bounds(table[timestamp])
