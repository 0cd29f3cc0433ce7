"""Which files a version of the lake was made of, so that the next one can tell new files from known ones unread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.artifacts import REBUILD, Artifact
from remora.core.errors import UnreadableInput
from remora.core.parquet import parquet_bytes
from remora.core.printable import one_line
from remora.ingest.files import FileSchema, FileSplit, SourceFile
from remora.ingest.inspect import TableSources

FILE = "fingerprints/files.parquet"

SETTLED_NS = 2_000_000_000
"""A time of change tells two contents apart when this long lay between it and the look at the file: the clocks of file
systems and object stores tick at most every two seconds."""

_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("source", pa.int32()),
        ("path", pa.string()),
        ("bytes", pa.int64()),
        ("modified_ns", pa.int64()),
        ("looked_ns", pa.int64()),
        ("sha256", pa.string()),
        ("rows", pa.int64()),
        ("columns", pa.binary()),  # an Arrow schema
    ]
)


class Place(NamedTuple):
    """Where a file stands: the same path may be in two sources."""

    table: str
    source: int
    path: str


@dataclass(frozen=True, kw_only=True)
class FileFingerprint:
    """One file as it was when it was read. ``looked_ns``: when its hash was begun, since 1970."""

    place: Place
    bytes: int
    modified_ns: int
    looked_ns: int
    sha256: str
    rows: int
    columns: pa.Schema

    def file_schema(self, file: SourceFile) -> FileSchema:
        """What a look at the file would say, but for how reading it is divided."""
        return FileSchema(file, self.columns, (FileSplit(file, 1, self.rows),))

    def is_of(self, file: SourceFile) -> bool:
        """Is this certainly still the file's content, by its size and the time of its last change?"""
        settled = 0 < self.modified_ns < self.looked_ns - SETTLED_NS
        return settled and (self.bytes, self.modified_ns) == (file.size, file.modified_ns)


FileFingerprints = Mapping[Place, FileFingerprint]


def place_of(table: str, file: SourceFile) -> Place:
    """The file's place."""
    return Place(table, file.source, file.path)


def unchanged(table: str, files: Iterable[SourceFile], fingerprints: FileFingerprints) -> dict[Place, FileFingerprint]:
    """The files whose content is that of their fingerprint; one whose times do not say so is read for its hash."""
    found = {}
    for file in files:
        fingerprint = fingerprints.get(place_of(table, file))
        if fingerprint is None or fingerprint.bytes != file.size:
            continue
        # Before the content is read: a file that changes meanwhile must not look as if it had settled.
        looked = time.time_ns()
        if fingerprint.is_of(file):
            found[fingerprint.place] = fingerprint
        elif file.sha256() == fingerprint.sha256:
            found[fingerprint.place] = replace(fingerprint, modified_ns=file.modified_ns, looked_ns=looked)
    return found


def fingerprints_of(sources: TableSources, known: FileFingerprints) -> list[FileFingerprint]:
    """The fingerprint of every file of a table, in order; those that are not known are read for their hash."""
    table = sources.table
    return [known.get(place_of(table, one.file)) or _look(table, one) for one in sources.file_schemas()]


def write_fingerprints(staging: Artifact, fingerprints: Iterable[FileFingerprint]) -> None:
    """Write them into the staging folder of a lake."""
    rows = [
        {
            **fingerprint.place._asdict(),
            "bytes": fingerprint.bytes,
            "modified_ns": fingerprint.modified_ns,
            "looked_ns": fingerprint.looked_ns,
            "sha256": fingerprint.sha256,
            "rows": fingerprint.rows,
            "columns": fingerprint.columns.serialize().to_pybytes(),
        }
        for fingerprint in fingerprints
    ]
    staging.home.write_bytes(f"{staging.folder}/{FILE}", parquet_bytes(pa.Table.from_pylist(rows, _SCHEMA)))


def read_fingerprints(version: Artifact) -> dict[Place, FileFingerprint]:
    """Those of a version; UnreadableInput where their file is gone or damaged."""
    try:
        table = pq.read_table(pa.BufferReader(version.read_bytes(FILE)), page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise UnreadableInput(version.at(FILE), one_line(str(error)), REBUILD.format(version.at())) from error
    return {fingerprint.place: fingerprint for fingerprint in map(_fingerprint, table.to_pylist())}


def _fingerprint(row: dict) -> FileFingerprint:
    place = Place(row.pop("table"), row.pop("source"), row.pop("path"))
    columns = pa.ipc.read_schema(pa.BufferReader(row.pop("columns")))
    return FileFingerprint(place=place, columns=columns, **row)


def _look(table: str, file_schema: FileSchema) -> FileFingerprint:
    # Before the hash, for the same reason as in :func:`unchanged`.
    file, looked = file_schema.file, time.time_ns()
    return FileFingerprint(
        place=place_of(table, file),
        bytes=file.size,
        modified_ns=file.modified_ns,
        looked_ns=looked,
        sha256=file.sha256(),
        rows=file_schema.rows,
        columns=file_schema.schema,
    )
