"""The second pass over events: whole rows to their day's files, the others to the quarantine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.core.artifacts import Artifact
from remora.core.parquet import write_parquet
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, QUARANTINE, TIMESTAMP, USER_ID
from remora.ingest.contract import DUPLICATE, REASON, RowValidator
from remora.ingest.file_layout import FILE, FileLayout
from remora.ingest.files import ORDER
from remora.ingest.incremental import PreviousLake, old_rows
from remora.ingest.inspect import TableSources
from remora.ingest.quarantine import rejected
from remora.ingest.rows import Rows, source_rows
from remora.ingest.scan import EventScan
from remora.ingest.schema import SOURCE_ROW

PARTITION_ROWS = 500_000
ROW_GROUP_ROWS = 131_072

_QUARANTINE_MARK = "__quarantine_"

_LINE = pa.schema(
    [
        ("file", pa.int32()),
        ("rows", pa.int64()),
        ("first", TIMESTAMP),  # null for a file of the quarantine
        ("last", TIMESTAMP),
        ("types", pa.list_(pa.string())),
        ("counts", pa.list_(pa.int64())),
        (USER_ID, pa.list_(pa.string())),  # distinct, where asked for
        (ITEM_ID, pa.list_(pa.string())),
    ]
)

_EMPTY_LINE: dict[str, Any] = {"first": None, "last": None, "types": [], "counts": [], USER_ID: [], ITEM_ID: []}


@dataclass
class WrittenFiles:
    """What was written, added up over the files; of events of the lake before, nothing."""

    accepted: int = 0
    quarantined: int = 0
    files: set[int] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None
    event_types: dict[str, int] = field(default_factory=dict)
    ids: dict[str, set[str]] = field(default_factory=lambda: {USER_ID: set(), ITEM_ID: set()})

    def add(self, line: dict[str, Any]) -> None:
        """Add one file's line."""
        self.files.add(line["file"])
        if line["first"] is None:
            self.quarantined += line["rows"]
            return
        self.accepted += line["rows"]
        self.first = min(line["first"], self.first or line["first"])
        self.last = max(line["last"], self.last or line["last"])
        for name, rows in zip(line["types"], line["counts"], strict=True):
            self.event_types[name] = self.event_types.get(name, 0) + rows
        for key, found in self.ids.items():
            found.update(line[key])


@dataclass(frozen=True)
class EventWriter:
    """Where files are written to: the staging folder's, with what the version before had on the same days."""

    staging: Artifact
    types: pa.Schema
    layout: FileLayout
    version: Artifact | None = None
    old: Mapping[date, list[str]] = field(default_factory=dict)
    """Day -> paths of its files in ``version``."""

    def write_day(self, file: int, rows: pl.DataFrame) -> None:
        """One file of events: rows of ``types`` and those it had, in the order of the lake."""
        day, part, parts = self.layout.share_of(file)
        if self.version is not None and (had := old_rows(self.version, self.old.get(day, []), part, parts)) is not None:
            rows = pl.concat([had.select(self.types.names), rows.select(self.types.names)], how="vertical_relaxed")
        table = rows.select(self.types.names).sort(EVENT_TIMESTAMP, SOURCE_ROW).to_arrow().cast(self.types)
        write_table(self.staging, self.layout.path_of(file), table)


def write_events(
    staging: Artifact,
    empty: Rows,
    sources: TableSources,
    validators: list[RowValidator],
    scan: EventScan,
    collect: tuple[str, ...],
    before: PreviousLake | None = None,
) -> WrittenFiles:
    """One pass: validate again, bring each file's rows together, write `events/day=…` and `quarantine`.

    ``empty`` says how rows are read; ``collect`` names the id columns whose distinct values are wanted back. With
    ``before``, the sources are what is new: files of days without a new event are not written, and the quarantine gets
    files beside those it had.
    """
    written = WrittenFiles()
    if not sources.rows:
        return written
    writer = _writer(staging, sources.types, scan, before)
    layout = writer.layout
    assigning = partial(assign_files, sources=sources, layout=layout, duplicates=scan.duplicates)
    writing = partial(write_files, writer=writer, collect=collect)
    # More partitions than files would leave some without a row.
    partitions = min(layout.files, max(1, math.ceil(sources.rows / PARTITION_ROWS)))
    assigned = source_rows(empty, sources, [partial(assigning, validator=validator) for validator in validators])
    for lines in assigned.grouped(FILE, partitions).map(writing).tables():
        for line in lines.to_pylist():
            written.add(line)
    for file in {n for files in layout.days.values() for n in files} - written.files:
        # A day of many files, none of whose new rows are in this one: it has what it had of the old.
        writer.write_day(file, pl.DataFrame(pl.from_arrow(sources.types.empty_table())))
    return written


def _writer(staging: Artifact, types: pa.Schema, scan: EventScan, before: PreviousLake | None) -> EventWriter:
    if before is None:
        return EventWriter(staging, types, FileLayout.of(scan))
    layout = FileLayout.of(scan, before.row_counts.days, len(before.quarantine()))
    return EventWriter(staging, types, layout, before.lake.artifact, {day: before.files(day) for day in layout.days})


def assign_files(
    raw: pa.Table,
    *,
    validator: RowValidator,
    sources: TableSources,
    layout: FileLayout,
    duplicates: npt.NDArray[np.int64],
) -> pa.Table:
    """Accepted rows and, in columns of their own, rejected ones, each with the file it goes to.

    ``duplicates`` (m,) int64 are the places of rows that are there twice, sorted.
    """
    # Validated again, as the first pass moved ids alone: so whole rows are moved once.
    validated = validator(raw)
    twice = pl.Series(_among(validated[ORDER].to_numpy(), duplicates))
    validated = validated.with_columns(pl.coalesce(REASON, pl.when(twice).then(pl.lit(DUPLICATE))).alias(REASON))
    valid = validated.filter(pl.col(REASON).is_null())
    valid = valid.with_columns(layout.of_day(pl.col(EVENT_TIMESTAMP).dt.date()).alias(FILE))
    broken = pl.DataFrame(pl.from_arrow(rejected(sources.table, raw, validated, sources.paths)))
    broken = broken.select(pl.all().name.prefix(_QUARANTINE_MARK)).hstack(
        validated.filter(pl.col(REASON).is_not_null()).select(layout.of_rejected().alias(FILE))
    )
    together = pl.concat([valid.drop(ORDER, REASON), broken], how="diagonal_relaxed")
    schema = _assigned_schema(sources.types)
    return together.select(schema.names).to_arrow().cast(schema)


def write_files(rows: pa.Table, *, writer: EventWriter, collect: tuple[str, ...]) -> pa.Table:
    """Write one partition's files, a line for each. A name depends on the file alone, so a retry writes it again."""
    frame = pl.DataFrame(pl.from_arrow(rows))
    lines = []
    for (number,), part in frame.group_by(FILE):
        file = int(number)
        if file in writer.layout.quarantine:
            marked = part.select(pl.col(f"{_QUARANTINE_MARK}{name}").alias(name) for name in QUARANTINE.names)
            table = marked.sort("source_file", "source_row").to_arrow().cast(QUARANTINE)
            write_table(writer.staging, writer.layout.path_of(file), table)
            lines.append(_EMPTY_LINE | {"file": file, "rows": part.height})
        else:
            writer.write_day(file, part)
            lines.append(_line(part, collect) | {"file": file})
    return pa.Table.from_pylist(lines, _LINE)


def write_table(staging: Artifact, path: str, table: pa.Table) -> None:
    """One Parquet file of a staging folder, with page checksums; StorageError when the store fails.

    Of any columns, in row groups of :data:`ROW_GROUP_ROWS` rows.
    """
    where = staging.at(path)
    staging.home.make_folder(f"{staging.folder}/{path}".rpartition("/")[0])
    write_parquet(table, where, staging.home.filesystem, row_group_size=ROW_GROUP_ROWS)


def _line(part: pl.DataFrame, collect: tuple[str, ...]) -> dict[str, Any]:
    types = part.group_by(EVENT_TYPE).len("rows")
    times = part[EVENT_TIMESTAMP]
    return _EMPTY_LINE | {
        "rows": part.height,
        "first": times.min(),
        "last": times.max(),
        "types": types[EVENT_TYPE].to_list(),
        "counts": types["rows"].to_list(),
        **{key: part[key].unique().to_list() for key in collect},
    }


def _assigned_schema(types: pa.Schema) -> pa.Schema:
    nullable = [pa.field(name, types.field(name).type) for name in types.names]
    marked = [pa.field(f"{_QUARANTINE_MARK}{field.name}", field.type) for field in QUARANTINE]
    return pa.schema([*nullable, *marked, pa.field(FILE, pa.int32())])


def _among(places: npt.NDArray[np.int64], sorted_places: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    if not len(sorted_places):
        return np.zeros(len(places), bool)
    at = np.searchsorted(sorted_places, places)
    return sorted_places[np.minimum(at, len(sorted_places) - 1)] == places
