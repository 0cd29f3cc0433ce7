"""Which files a version of the lake was made of, so that the next one can tell new files from known ones unread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from remora.contracts.artifacts import Artifact
from remora.ingest.files import FileSchema, FileSplit, SourceFile
from remora.ingest.inspect import TableSources

FILE = "origins/files.parquet"

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

    def survey(self, file: SourceFile) -> FileSchema:
        """What a look at the file would say, but for how reading it is divided."""
        return FileSchema(file, self.columns, (FileSplit(file, 1, self.rows),))

    def is_of(self, file: SourceFile) -> bool:
        """Is this certainly still the file's content, by its size and the time of its last change?"""
        settled = 0 < self.modified_ns < self.looked_ns - SETTLED_NS
        return settled and (self.bytes, self.modified_ns) == (file.size, file.modified_ns)


Origins = Mapping[Place, FileFingerprint]


def place_of(table: str, file: SourceFile) -> Place:
    """The file's place."""
    return Place(table, file.source, file.path)


def recognised(table: str, files: Iterable[SourceFile], origins: Origins) -> dict[Place, FileFingerprint]:
    """The files whose content is that of their origin; one whose times do not say so is read for its hash."""
    found = {}
    for file in files:
        origin = origins.get(place_of(table, file))
        if origin is None or origin.bytes != file.size:
            continue
        looked = time.time_ns()
        if origin.is_of(file):
            found[origin.place] = origin
        elif file.sha256() == origin.sha256:
            found[origin.place] = replace(origin, modified_ns=file.modified_ns, looked_ns=looked)
    return found


def origins_of(sources: TableSources, known: Origins) -> list[FileFingerprint]:
    """The origin of every file of a table, in order; those that are not known are read for their hash."""
    table = sources.table
    return [known.get(place_of(table, survey.file)) or _look(table, survey) for survey in sources.surveys()]


def write_origins(staging: Artifact, origins: Iterable[FileFingerprint]) -> None:
    """Write them into the staging folder of a lake."""
    rows = [
        {
            **origin.place._asdict(),
            "bytes": origin.bytes,
            "modified_ns": origin.modified_ns,
            "looked_ns": origin.looked_ns,
            "sha256": origin.sha256,
            "rows": origin.rows,
            "columns": origin.columns.serialize().to_pybytes(),
        }
        for origin in origins
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), sink, compression="zstd", write_page_checksum=True)
    staging.home.write_bytes(f"{staging.folder}/{FILE}", sink.getvalue().to_pybytes())


def read_origins(version: Artifact) -> dict[Place, FileFingerprint]:
    """Those of a version."""
    table = pq.read_table(pa.BufferReader(version.read_bytes(FILE)), page_checksum_verification=True)
    return {origin.place: origin for origin in map(_origin, table.to_pylist())}


def _origin(row: dict) -> FileFingerprint:
    place = Place(row.pop("table"), row.pop("source"), row.pop("path"))
    columns = pa.ipc.read_schema(pa.BufferReader(row.pop("columns")))
    return FileFingerprint(place=place, columns=columns, **row)


def _look(table: str, survey: FileSchema) -> FileFingerprint:
    file, looked = survey.file, time.time_ns()
    return FileFingerprint(
        place=place_of(table, file),
        bytes=file.size,
        modified_ns=file.modified_ns,
        looked_ns=looked,
        sha256=file.sha256(),
        rows=survey.rows,
        columns=survey.schema,
    )
