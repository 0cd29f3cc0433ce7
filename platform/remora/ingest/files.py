"""Which files a source means, what they hold, and how reading them is divided."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs

from remora.contracts.errors import BrokenInput, DataError, MissingInput
from remora.contracts.home import Home
from remora.settings import SourceSettings

ORDER = "__order"
"""int64: where a row stands in its table's sources, see :func:`order_of`."""

UNREADABLE = "__unreadable"
"""string: the text of a row that could not be split into columns, null for all others."""

_FILE_STEP = 1 << 40

FILES_PER_SOURCE = 1 << 16
MOST_SOURCES = 1 << 7
"""With these and 2**40 rows in a file, an order fits 63 bits."""

SUFFIXES = {"parquet": (".parquet", ".pq"), "csv": (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")}
"""Names that a directory of each format is searched for; a file that is named itself may have any name."""


def order_of(file: int, row: int) -> int:
    """Rows are ordered by file, then by row: the row's number, plus 2**40 times the file's.

    >>> order_of(file=0, row=7)
    7
    """
    return file * _FILE_STEP + row


def place_of(order: int) -> tuple[int, int]:
    """The file's number and the row's number again.

    >>> place_of(order_of(file=3, row=7))
    (3, 7)
    """
    return divmod(order, _FILE_STEP)


@dataclass(frozen=True)
class SourceFile:
    """One file as it lies there.

    ``number`` counts the files of a source, plus 2**16 for every source before, so that a file more in one source
    leaves the numbers of the others as they are. ``modified_ns``: since 1970, as the store says.
    """

    filesystem: pafs.FileSystem
    path: str
    number: int
    size: int
    modified_ns: int

    @property
    def source(self) -> int:
        """Which of the table's sources it is of, from 0."""
        return self.number // FILES_PER_SOURCE

    def sha256(self) -> str:
        """Hash of the content, in hex, read in pieces."""
        digest = hashlib.sha256()
        with self.filesystem.open_input_stream(self.path, compression=None) as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class Piece:
    """What one read task reads: ``rows`` rows from row ``first`` (the first of a file is 1)."""

    file: SourceFile
    first: int
    rows: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What a look at a file says without reading it for good: its columns and its pieces."""

    file: SourceFile
    schema: pa.Schema
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return sum(piece.rows for piece in self.pieces)


@dataclass(frozen=True)
class FileFormat:
    """How one format is surveyed and read.

    ``survey`` raises BrokenInput for a file that cannot be read. ``read`` yields tables with the source's columns,
    ORDER and UNREADABLE, in bounded memory.
    """

    survey: Callable[[SourceFile, SourceSettings], Survey]
    read: Callable[[Piece, SourceSettings], Iterator[pa.Table]]


def locate(source: SourceSettings, home: Home, place: int) -> list[SourceFile]:
    """The files of a table's source number ``place`` in the order of their paths.

    MissingInput for none, BrokenInput for an empty one, DataError for too many files or sources.
    """
    filesystem, path = _place(source.path, home)
    info = filesystem.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        unset = "" if "$" not in path else " An environment variable in it is not set."
        raise MissingInput("file or directory", path, hint=f"Check `path` of the source in data.{unset}")
    found = [info] if info.type == pafs.FileType.File else _in_folder(filesystem, path, source.format)
    if not found:
        raise MissingInput(
            f"{source.format} file in the directory", path, hint=f"Names end in {', '.join(SUFFIXES[source.format])}."
        )
    for file in found:
        if file.size == 0:
            raise BrokenInput(file.path, "it is empty (0 bytes)")
    if len(found) > FILES_PER_SOURCE or place >= MOST_SOURCES:
        raise DataError(
            f"{len(found):,} files in {path}, source {place + 1} of its table: up to {FILES_PER_SOURCE:,} files in "
            f"each of {MOST_SOURCES} sources can be told apart. Write fewer, larger files."
        )
    return [
        SourceFile(filesystem, file.path, place * FILES_PER_SOURCE + i, file.size, file.mtime_ns or 0)
        for i, file in enumerate(found)
    ]


def _place(path: str, home: Home) -> tuple[pafs.FileSystem, str]:
    if "://" in path:
        return pafs.FileSystem.from_uri(path)
    if os.path.isabs(path):
        return pafs.LocalFileSystem(), path
    return home.filesystem, home.at(path)


def _in_folder(filesystem: pafs.FileSystem, path: str, format: str) -> list[pafs.FileInfo]:
    found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
    return sorted(
        (
            f
            for f in found
            if f.type == pafs.FileType.File
            and f.base_name.lower().endswith(SUFFIXES[format])
            and not f.base_name.startswith((".", "_"))
        ),
        key=lambda f: f.path,
    )
