"""The data files of a Delta table and their rows; imports `deltalake`, so it is imported where a table is read.

What is read and how follows https://github.com/delta-io/delta/blob/master/PROTOCOL.md. `deltalake` has readers of its
own, but none gives a row's place in its file, by which the quarantine names it and an ingest orders it.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any
from urllib.parse import unquote

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from remora.core.errors import DataError, MissingInput, UnreadableInput
from remora.core.home import Home
from remora.ingest import parquet
from remora.ingest.files import (
    FILES_PER_SOURCE,
    ORDER,
    UNREADABLE,
    FileSchema,
    FileSplit,
    FoundFiles,
    SourceFile,
    TableVersion,
    check_number,
    order_of,
)
from remora.ingest.plain import holds_bytes, known_type, plain
from remora.ingest.table_file import TableFile
from remora.ingest.table_location import TableLocation, store_of
from remora.settings import SourceSettings

READER_FEATURES = {"timestampNtz", "deletionVectors", "columnMapping", "v2Checkpoint", "vacuumProtocolCheck"}
"""What a table may ask of its readers."""

_PHYSICAL_NAME = b"delta.columnMapping.physicalName"
_NO_ROWS = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class DeltaFile(TableFile):
    """A data file of a Delta table; ``deleted`` are the rows that a deletion vector takes out.

    ``columns`` are the table's, ``in_file`` their names in the file, and ``partition`` the values of those that are
    not in it.
    """

    columns: pa.Schema
    in_file: dict[str, str]
    partition: dict[str, Any]


def data_files(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    """See :func:`remora.ingest.delta.locate`."""
    location = TableLocation.of(source, home, "Delta table")
    table = _opened(location, source)
    _check_readable(table, location)
    schema = pa.schema(table.schema().to_arrow())
    in_file = {f.name: (f.metadata or {}).get(_PHYSICAL_NAME, f.name.encode()).decode() for f in schema}
    columns = schema.remove_metadata()
    columns = pa.schema([pa.field(f.name, f.type) for f in columns])
    deleted = _deleted(table, location)
    # Files are in order of the times that their writers gave them, so that what is appended comes last.
    entries = sorted(_entries(table), key=lambda entry: (entry["modification_time"], entry["path"]))
    if not entries:
        raise DataError(f"The Delta table {location} has no row at version {table.version()}.")
    check_number(len(entries), str(location), place)
    files = []
    for i, entry in enumerate(entries):
        partition = {name: entry[f"partition.{name}"] for name in table.metadata().partition_columns}
        path = _path_of(entry["path"], location)
        gone = deleted.get(path, _NO_ROWS)
        identity = _identity(table, entry, partition, gone, columns, in_file)
        number = place * FILES_PER_SOURCE + i
        size = entry["size_bytes"]
        files.append(DeltaFile(location.filesystem, path, number, size, 0, identity, gone, columns, in_file, partition))
    log_file = f"_delta_log/{table.version():020d}.json"
    version = TableVersion(
        id=str(table.metadata().id),
        version=table.version(),
        committed=_committed(f"{location.path}/{log_file}", location),
        metadata=f"{location}/{log_file}",
    )
    return FoundFiles(tuple(files), version=version)


def file_schema(file: SourceFile, source: SourceSettings) -> FileSchema:
    """See :func:`remora.ingest.delta.inspect`."""
    assert isinstance(file, DeltaFile)
    try:
        found = parquet.file_schema(file, source)
    except UnreadableInput as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        hint = "A vacuum has removed it: read a newer version, or repair the table with its engine."
        raise UnreadableInput(file.path, "the table's log names it, and it is not there", hint) from error
    splits = (
        replace(split, rows=split.rows - len(_deleted_in(file, split.first, split.rows))) for split in found.splits
    )
    types = [(field.name, known_type(field.type)) for field in file.columns]
    return FileSchema(file, pa.schema(types), tuple(splits))


def rows(split: FileSplit) -> Iterator[pa.Table]:
    """See :func:`remora.ingest.delta.read`."""
    file = split.file
    assert isinstance(file, DeltaFile)
    read, first, given = [field for field in file.columns if not holds_bytes(field.type)], split.first, 0
    # Spark writes times of 96 bits, which count nanoseconds only to the year 2262.
    with parquet.damage(file), parquet.open_parquet(file, int96_unit="us") as opened:
        there = [file.in_file[field.name] for field in read if file.in_file[field.name] in opened.schema_arrow.names]
        for batch in opened.iter_batches(parquet.BATCH_ROWS, row_groups=list(split.groups), columns=there):
            pa.Table.from_batches([batch]).validate(full=True)  # text that is no UTF-8 ends Polars
            kept = np.setdiff1d(np.arange(batch.num_rows), _deleted_in(file, first, batch.num_rows), assume_unique=True)
            table = pa.table({field.name: plain(_column(field, batch, file)) for field in read})
            table = table if len(kept) == batch.num_rows else table.take(kept)
            order = pa.array(order_of(file.number, first) + kept, pa.int64())
            yield table.append_column(ORDER, order).append_column(UNREADABLE, pa.nulls(len(kept), pa.string()))
            first, given = first + batch.num_rows, given + len(kept)
    if given != split.rows:
        raise UnreadableInput(file.path, f"{split.rows} rows were expected from row {split.first}, {given} are there")


def _opened(location: TableLocation, source: SourceSettings) -> DeltaTable:
    if not location.has_folder("_delta_log"):
        raise DataError(
            f"{location} is not a Delta table: it has no folder _delta_log. Name the table's own folder, or give the "
            f"format that the files have."
        )
    try:
        table = DeltaTable(location.plain_url, storage_options=location.storage_options())
        if (wanted := source.version) is not None:
            if wanted > table.version():
                hint = f"The latest version of the Delta table {location} is {table.version()}."
                raise MissingInput("version", str(wanted), hint=hint)
            table.load_as_version(wanted)
    except (DeltaError, OSError, ValueError) as error:
        raise _unreadable(location, source, error) from error
    return table


def _unreadable(location: TableLocation, source: SourceSettings, error: Exception) -> DataError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    if isinstance(error, TableNotFoundError):
        return DataError(f"{location} is not a Delta table: {why}")
    version = "" if source.version is None else f" at version {source.version}"
    return DataError(
        f"The Delta table {location} cannot be read{version}: {why}. Its log may be damaged or, for an old version, "
        f"cleaned up; or it asks for what this version of deltalake does not know: then write its rows to plain "
        f"Parquet files and name those."
    )


def _check_readable(table: DeltaTable, location: TableLocation) -> None:
    """DataError for what would be read otherwise than it is meant."""
    features = set(table.protocol().reader_features or ())
    if unknown := sorted(features - READER_FEATURES):
        raise DataError(
            f"The Delta table {location} needs the reader features {', '.join(unknown)}; known are "
            f"{', '.join(sorted(READER_FEATURES))}. Drop the feature from the table, or write its rows to plain "
            f"Parquet files and name those."
        )
    if (mode := table.metadata().configuration.get("delta.columnMapping.mode", "none")) not in ("none", "name"):
        raise DataError(
            f"The Delta table {location} maps columns by {mode} (delta.columnMapping.mode); by name is known. Write "
            f"its rows to a table of that mode, or to plain Parquet files."
        )


def _entries(table: DeltaTable) -> list[dict[str, Any]]:
    """Path, size, time of change and partition values of each file, as the log has them."""
    found = pa.table(table.get_add_actions(flatten=True))
    partition = [f"partition.{name}" for name in table.metadata().partition_columns]
    return found.select(["path", "size_bytes", "modification_time", *partition]).to_pylist()


def _deleted(table: DeltaTable, location: TableLocation) -> dict[str, npt.NDArray[np.int64]]:
    """Path of a file -> rows that are deleted from it."""
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return {}
    try:
        vectors = pa.table(table.deletion_vectors())
    except (DeltaError, OSError) as error:
        why = str(error).splitlines()[0]
        raise DataError(
            f"The deletion vectors of the Delta table {location} cannot be read: {why}. Let the table's engine rewrite "
            f"its files without them (`REORG TABLE … APPLY (PURGE)`)."
        ) from error
    paths = [_path_of(path, location) for path in vectors["filepath"].to_pylist()]
    kept = (vector.values.to_numpy(zero_copy_only=False) for vector in vectors["selection_vector"])
    return {path: np.flatnonzero(~vector).astype(np.int64) for path, vector in zip(paths, kept, strict=True)}


def _path_of(path: str, location: TableLocation) -> str:
    """A path of the log, relative or a URL, encoded as in URLs, in the location's filesystem."""
    if "://" not in path:
        return posixpath.join(location.path, unquote(path))
    scheme, _, rest = path.partition("://")
    if store_of(scheme) != location.filesystem.type_name:
        raise DataError(
            f"The Delta table {location} has a file in another store, {path}: it is a shallow clone. Name the table "
            f"that it was cloned from, or make a deep clone."
        )
    return unquote(rest)


def _identity(
    table: DeltaTable,
    entry: dict[str, Any],
    partition: dict[str, Any],
    deleted: npt.NDArray[np.int64],
    columns: pa.Schema,
    in_file: dict[str, str],
) -> str:
    said = (
        str(table.metadata().id),
        entry["path"],
        entry["size_bytes"],
        entry["modification_time"],
        sorted((name, str(value)) for name, value in partition.items()),
        str(columns),
        sorted(in_file.items()),
    )
    return hashlib.sha256(repr(said).encode() + deleted.tobytes()).hexdigest()


def _deleted_in(file: DeltaFile, first: int, count: int) -> npt.NDArray[np.int64]:
    """Which of ``count`` rows from row ``first`` (the file's first is 1) are deleted, from 0."""
    begin, end = np.searchsorted(file.deleted, [first - 1, first - 1 + count])
    return file.deleted[begin:end] - (first - 1)


def _column(field: pa.Field, batch: pa.RecordBatch, file: DeltaFile) -> pa.ChunkedArray:
    """One column of the table: of the file, of the partition, or null where it was added later."""
    name = file.in_file[field.name]
    if field.name in file.partition or name not in batch.schema.names:
        value = file.partition.get(field.name)
        return pa.chunked_array([pa.repeat(pa.scalar(value, field.type), batch.num_rows)])
    found = batch[name]
    if _has_fields(field.type):
        return pa.chunked_array([found])  # fields within are not mapped: no column of the lake has any
    try:
        return pa.chunked_array([found.cast(field.type)])
    except pa.ArrowException as error:
        why = f"column '{field.name}' is {found.type} in it and {field.type} in the table ({error})"
        raise UnreadableInput(file.path, why, "Let the table's engine rewrite the file.") from error


def _has_fields(type: pa.DataType) -> bool:
    if pa.types.is_struct(type):
        return True
    return pa.types.is_nested(type) and any(_has_fields(type.field(i).type) for i in range(type.num_fields))


def _committed(log_file: str, location: TableLocation) -> str | None:
    """When the version's file was written to the log, which is its time in Delta; None when it was cleaned up."""
    # `DeltaTable.history` holds Python's lock while it waits for the store.
    written = location.filesystem.get_file_info(log_file).mtime
    return None if written is None else written.astimezone(UTC).isoformat()
