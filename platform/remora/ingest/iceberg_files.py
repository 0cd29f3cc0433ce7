"""The data files of an Iceberg table and their rows; imports PyIceberg, so it is imported where a table is read.

PyIceberg says which files a snapshot has and which rows of them are deleted, and reads a file in the columns of the
table's schema: renamed and added columns, partition columns and promoted types by Iceberg's rules.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, PyArrowFileIO, _read_deletes, schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat, ManifestEntry
from pyiceberg.schema import Schema
from pyiceberg.table import FileScanTask, ManifestGroupPlanner
from pyiceberg.table.metadata import TableMetadata

from remora.core.errors import DataError, UnreadableInput
from remora.core.home import Home
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
from remora.ingest.iceberg_table import FAILURES, IcebergTable, first_line, open_table
from remora.ingest.plain import holds_bytes, known_type, plain
from remora.ingest.table_file import TableFile
from remora.settings import SourceSettings

_READ = (FileFormat.PARQUET, FileFormat.ORC)
_NO_ROWS = np.empty(0, np.int64)


@dataclass(frozen=True)
class IcebergScan:
    """How the files of one table are read: its metadata without the history, its files' store, and the columns."""

    metadata: TableMetadata
    io: PyArrowFileIO
    schema: Schema
    columns: pa.Schema

    @classmethod
    def of(cls, table: IcebergTable) -> IcebergScan:
        """Columns of bytes are left out of what is read."""
        # Each task of Ray Data carries it, and a table may have thousands of snapshots.
        without: dict[str, Any] = {
            "snapshots": [],
            "snapshot_log": [],
            "metadata_log": [],
            "refs": {},
            "statistics": [],
        }
        columns = schema_to_pyarrow(table.schema, include_field_ids=False)
        read = [field.name for field in columns if not holds_bytes(field.type)]
        return cls(table.metadata.model_copy(update=without), table.io, table.schema.select(*read), columns)

    def batches(self, file: DataFile) -> Iterator[pa.RecordBatch]:
        """All rows of a file in their order, deleted ones too."""
        scan = ArrowScan(self.metadata, self.io, self.schema, AlwaysTrue())
        # Its public `to_record_batches` has all rows of a file in memory at once.
        yield from scan._record_batches_from_scan_tasks_and_deletes([FileScanTask(file)], {})


@dataclass(frozen=True, eq=False)
class IcebergFile(TableFile):
    """A data file of an Iceberg table, and how it is read."""

    scan: IcebergScan
    data_file: DataFile


def data_files(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    """See :func:`remora.ingest.iceberg.locate`."""
    table = open_table(source, home)
    with _failures(table):
        scan = IcebergScan.of(table)
        tasks = _tasks(table)
        deleted = _Deletes(table)
        gone = [deleted.of(task) for task in tasks]
    if not tasks:
        raise DataError(f"The Iceberg table {table.name} has no row at snapshot {table.snapshot.snapshot_id}.")
    check_number(len(tasks), table.name, place)
    files = []
    for i, (task, rows_gone) in enumerate(zip(tasks, gone, strict=True)):
        file = task.file
        scheme, bucket, path = PyArrowFileIO.parse_location(file.file_path)
        filesystem, number = table.io.fs_by_scheme(scheme, bucket), place * FILES_PER_SOURCE + i
        identity, size = _identity(table, file, rows_gone), file.file_size_in_bytes
        files.append(IcebergFile(filesystem, path, number, size, 0, identity, rows_gone, scan, file))
    version = TableVersion(
        id=str(table.metadata.table_uuid),
        version=table.snapshot.snapshot_id,
        committed=datetime.fromtimestamp(table.snapshot.timestamp_ms / 1000, UTC).isoformat(),
        metadata=table.location,
    )
    return FoundFiles(tuple(files), version=version)


def file_schema(file: SourceFile) -> FileSchema:
    """See :func:`remora.ingest.iceberg.inspect`."""
    assert isinstance(file, IcebergFile)
    types = [(field.name, known_type(field.type)) for field in file.scan.columns]
    live = file.data_file.record_count - len(file.deleted)
    return FileSchema(file, pa.schema(types), (FileSplit(file, 1, live),))


def rows(split: FileSplit) -> Iterator[pa.Table]:
    """See :func:`remora.ingest.iceberg.read`."""
    file = split.file
    assert isinstance(file, IcebergFile)
    first = given = 0
    with _damage(file):
        for batch in file.scan.batches(file.data_file):
            found = pa.Table.from_batches([batch])
            found.validate(full=True)  # text that is no UTF-8 ends Polars
            kept = np.arange(first, first + batch.num_rows)
            kept = kept[~np.isin(kept, file.deleted, assume_unique=True)]
            # The same types for every file: a table's text is of 32 or 64 bits, as the reader likes.
            table = pa.table({name: _as(plain(found[name]), file, name) for name in found.column_names})
            table = table if len(kept) == batch.num_rows else table.take(kept - first)
            order = pa.array(order_of(file.number, 1) + kept, pa.int64())
            yield table.append_column(ORDER, order).append_column(UNREADABLE, pa.nulls(len(kept), pa.string()))
            first, given = first + batch.num_rows, given + len(kept)
    if given != split.rows:
        raise UnreadableInput(file.path, f"the table's metadata says {split.rows} rows, {given} are there")


class _Deletes:
    """Rows that position deletes and deletion vectors take out; each file of them is read once."""

    def __init__(self, table: IcebergTable) -> None:
        self._table = table
        self._read: dict[str, dict[str, pa.ChunkedArray]] = {}

    def of(self, task: FileScanTask) -> npt.NDArray[np.int64]:
        """Those of one data file, from 0, sorted."""
        found = []
        for file in task.delete_files:
            if file.file_path not in self._read:
                self._read[file.file_path] = _read_deletes(self._table.io, file)
            if (rows := self._read[file.file_path].get(task.file.file_path)) is not None:
                found.append(rows.to_numpy().astype(np.int64))
        return np.unique(np.concatenate(found)) if found else _NO_ROWS


def _tasks(table: IcebergTable) -> list[FileScanTask]:
    """The snapshot's data files with what is deleted from them, in the order in which they were committed."""
    sequence: dict[str, int] = {}

    def note(entry: ManifestEntry) -> bool:
        if entry.data_file.content == DataFileContent.EQUALITY_DELETES:
            raise DataError(
                f"The Iceberg table {table.name} has equality deletes ({entry.data_file.file_path}), which PyIceberg "
                f"cannot apply, so deleted rows would be read. Let the table's engine rewrite its data files (Spark: "
                f"`CALL system.rewrite_data_files` with `delete-file-threshold` 1), or write its rows to plain Parquet "
                f"files and name those."
            )
        sequence[entry.data_file.file_path] = entry.sequence_number or 0
        return True

    planner = ManifestGroupPlanner(table.metadata, table.io)
    tasks = planner.plan_files(table.snapshot.manifests(table.io), manifest_entry_filter=note)
    for task in tasks:
        if task.file.file_format not in _READ or task.file.key_metadata is not None:
            how = "encrypted" if task.file.key_metadata is not None else f"in {task.file.file_format.value}"
            raise DataError(
                f"The Iceberg table {table.name} has files that are {how}, which cannot be read: "
                f"{task.file.file_path}. Write its rows to files of Parquet or ORC."
            )
    # Version 1 of the format has no sequence numbers: the order of the paths is the same at every look, at least.
    return sorted(tasks, key=lambda task: (sequence[task.file.file_path], task.file.file_path))


def _identity(table: IcebergTable, file: DataFile, deleted: npt.NDArray[np.int64]) -> str:
    said = (
        str(table.metadata.table_uuid),
        file.file_path,
        file.file_size_in_bytes,
        file.record_count,
        table.schema.model_dump_json(),
        table.metadata.properties.get("schema.name-mapping.default"),
    )
    return hashlib.sha256(repr(said).encode() + deleted.tobytes()).hexdigest()


def _as(column: pa.ChunkedArray, file: IcebergFile, name: str) -> pa.ChunkedArray:
    wanted = file.scan.columns.field(name).type
    return column.cast(wanted) if pa.types.is_large_string(wanted) and column.type != wanted else column


@contextlib.contextmanager
def _failures(table: IcebergTable) -> Iterator[None]:
    try:
        yield
    except FAILURES as error:
        raise DataError(
            f"The Iceberg table {table.name} cannot be read at snapshot {table.snapshot.snapshot_id}: "
            f"{first_line(error)}. Its metadata may be damaged, or name files that were moved or removed; or it has "
            f"what PyIceberg does not read: then write its rows to plain Parquet files and name those."
        ) from error


@contextlib.contextmanager
def _damage(file: IcebergFile) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        hint = "Read a newer snapshot, or bring the file back: an Iceberg table names its files by their full paths."
        raise UnreadableInput(file.path, "the table's metadata names it, and it is not there", hint) from error
    except FAILURES as error:
        raise UnreadableInput(file.path, first_line(error), "Let the table's engine rewrite the file.") from error
