"""Which files a source means, what they hold, and how reading them is divided."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs

from remora.contracts.errors import DataError, MissingInput, SettingsError, UnreadableInput
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

_TEXT = (".csv", ".tsv", ".txt", ".dat")
SUFFIXES = {
    "parquet": (".parquet", ".pq"),
    "csv": (*_TEXT, *(text + coalesced for text in _TEXT for coalesced in (".gz", ".bz2", ".zst", ".lz4"))),
}
"""Names that a directory of each format is searched for; a file that is named itself may have any name."""

_TABLE_FORMATS = {"_delta_log": "a Delta Lake table", ".hoodie": "a Hudi table"}
"""Folders that say that the files beside them are of several versions, of which a log names the current one."""


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
        """Hash of the content, in hex, read in chunks."""
        digest = hashlib.sha256()
        with self.filesystem.open_input_stream(self.path, compression=None) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True)
class FoundFiles:
    """The files of a source, and the paths below its directory that are not read: hidden, or of another format."""

    files: tuple[SourceFile, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileSplit:
    """What one read task reads: ``rows`` rows from row ``first`` (the first of a file is 1)."""

    file: SourceFile
    first: int
    rows: int
    groups: tuple[int, ...] = ()


@dataclass(frozen=True)
class FileSchema:
    """What a look at a file says without reading all of it: its columns and its splits."""

    file: SourceFile
    schema: pa.Schema
    splits: tuple[FileSplit, ...]

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return sum(split.rows for split in self.splits)


@dataclass(frozen=True)
class FileFormat:
    """How one format is inspected and read.

    ``inspect`` raises UnreadableInput for a file that cannot be read. ``read`` yields tables with the source's columns,
    ORDER and UNREADABLE, in bounded memory.
    """

    inspect: Callable[[SourceFile, SourceSettings], FileSchema]
    read: Callable[[FileSplit, SourceSettings], Iterator[pa.Table]]


def locate(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    """The files of a table's source number ``place`` in the order of their paths.

    MissingInput for none, UnreadableInput for an empty one, DataError for too many files or sources, and for the folder
    of a table format, whose files are of several versions.
    """
    filesystem, path = _place(source.path, home)
    info = filesystem.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise MissingInput("file or directory", path, hint=f"Check `path` of the source in data.{_meant(source.path)}")
    found, skipped = ([info], []) if info.type == pafs.FileType.File else _in_folder(filesystem, path, source.format)
    if not found:
        there = f" Not read: {_some(skipped)}." if skipped else ""
        raise MissingInput(
            f"{source.format} file in the directory",
            path,
            hint=f"Names end in {', '.join(SUFFIXES[source.format])}.{there}",
        )
    for file in found:
        # Ray Data's Parquet reader skips such a file without a word; here a copy that was cut off is an error.
        if file.size == 0:
            raise UnreadableInput(file.path, "it is empty (0 bytes)")
    if len(found) > FILES_PER_SOURCE or place >= MOST_SOURCES:
        raise DataError(
            f"{len(found):,} files in {path}, source {place + 1} of its table: up to {FILES_PER_SOURCE:,} files in "
            f"each of {MOST_SOURCES} sources can be told apart. Write fewer, larger files."
        )
    files = [
        SourceFile(filesystem, file.path, place * FILES_PER_SOURCE + i, file.size, file.mtime_ns or 0)
        for i, file in enumerate(found)
    ]
    return FoundFiles(tuple(files), tuple(skipped))


def _meant(path: str) -> str:
    """What may be wrong with a path at which there is nothing."""
    if "$" in path:
        return " An environment variable in it is not set."
    if "://" in path or os.path.isabs(path):
        return ""
    if os.path.exists(path):
        return f' A relative path starts at the home; to mean the working directory, write "${{PWD}}/{path}" in quotes.'
    return " A relative path starts at the home."


def _place(path: str, home: Home) -> tuple[pafs.FileSystem, str]:
    if "://" in path:
        try:
            return pafs.FileSystem.from_uri(path)
        except (pa.ArrowException, ValueError, OSError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"`path` of a source cannot be used: {why}. E.g. s3://bucket/path.") from error
    if os.path.isabs(path):
        return pafs.LocalFileSystem(), path
    return home.filesystem, home.at(path)


def _in_folder(filesystem: pafs.FileSystem, path: str, format: str) -> tuple[list[pafs.FileInfo], list[str]]:
    """Files of the format, sorted, and the paths of the others; nothing hidden (``.name``, ``_name``) is read.

    What is hidden is a copy or half of a job: `.ipynb_checkpoints`, `_temporary`, `.part.crc`.
    """
    found, skipped = [], []
    for info in sorted(filesystem.get_file_info(pafs.FileSelector(path, recursive=True)), key=lambda f: f.path):
        below = posixpath.relpath(info.path, path).split("/")
        if (kind := _table_format(below)) is not None:
            raise DataError(
                f"{path} is {kind} (it has {'/'.join(below)}): its files are of several versions, also rows that were "
                f"deleted. Write its current rows to plain Parquet files, and name those."
            )
        if info.type != pafs.FileType.File:
            continue
        if any(name.startswith((".", "_")) for name in below) or not below[-1].lower().endswith(SUFFIXES[format]):
            skipped.append(info.path)
        else:
            found.append(info)
    return found, skipped


def _table_format(below: list[str]) -> str | None:
    if below[-2:-1] == ["metadata"] and below[-1].endswith(".metadata.json"):
        return "an Iceberg table"
    return next((_TABLE_FORMATS[name] for name in below if name in _TABLE_FORMATS), None)


def _some(paths: list[str], most: int = 3) -> str:
    names = ", ".join(path.rpartition("/")[2] for path in paths[:most])
    return names if len(paths) <= most else f"{names} and {len(paths) - most:,} more"
