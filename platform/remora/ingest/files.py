"""The files that a source means, what a look at them says, and how reading them is divided."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.fs as pafs

from remora.core.errors import DataError, MissingInput, SettingsError
from remora.core.home import Home
from remora.settings import SourceSettings

ORDER = "__order"
"""int64: where a row stands in its table's sources, see :func:`order_of`."""

UNREADABLE = "__unreadable"
"""string: the text of a row that could not be split into columns, null for all others."""


_FILE_STEP = 1 << 40

FILES_PER_SOURCE = 1 << 16
MOST_SOURCES = 1 << 7
"""With these and 2**40 rows in a file, an order fits 63 bits."""


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

    change: ClassVar[str] = "has changed"
    """What has happened to it when its fingerprint is another one."""

    @property
    def source(self) -> int:
        """Which of the table's sources it is of, from 0."""
        return self.number // FILES_PER_SOURCE

    @property
    def hashed_bytes(self) -> int:
        """How much of it is read for :meth:`sha256`."""
        return self.size

    def sha256(self) -> str:
        """What tells its content from any other, in hex: here the hash of all bytes, read in chunks."""
        digest = hashlib.sha256()
        with self.filesystem.open_input_stream(self.path, compression=None) as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class TableVersion:
    """The version of a table at which a source was read.

    ``id`` is the table's own (a UUID), ``version`` the snapshot's id or the number of the version, ``committed`` when
    that was made (ISO 8601, UTC), None where the table does not say. ``metadata`` is the file that describes it.
    """

    id: str
    version: int
    committed: str | None
    metadata: str


@dataclass(frozen=True)
class FoundFiles:
    """The files of a source, and the paths below its directory that are not read: hidden, or of another format.

    ``version`` is that of the table, where the files are those of one.
    """

    files: tuple[SourceFile, ...]
    skipped: tuple[str, ...] = ()
    version: TableVersion | None = None


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
    """How the files of one format are found, inspected and read.

    ``locate`` gives those of a table's source by its number. ``inspect`` raises UnreadableInput for a file that cannot
    be read. ``read`` yields tables with the source's columns, ORDER and UNREADABLE, in bounded memory.
    """

    locate: Callable[[SourceSettings, Home, int], FoundFiles]
    inspect: Callable[[SourceFile, SourceSettings], FileSchema]
    read: Callable[[FileSplit, SourceSettings], Iterator[pa.Table]]


def place_in_store(path: str, home: Home) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a source's path, and the path in it; SettingsError for a URL that means no store."""
    if "://" in path:
        try:
            return pafs.FileSystem.from_uri(path)
        except (pa.ArrowException, ValueError, OSError) as error:
            why = str(error).splitlines()[0]
            raise SettingsError(f"`path` of a source cannot be used: {why}. E.g. s3://bucket/path.") from error
    if os.path.isabs(path):
        return pafs.LocalFileSystem(), path
    return home.filesystem, home.at(path)


def nothing_there(what: str, path: str, source: SourceSettings) -> MissingInput:
    """The error for a path at which there is nothing, with what may be wrong with it."""
    return MissingInput(what, path, hint=f"Check `path` of the source in data.{_likely_cause(source.path)}")


def check_number(files: int, path: str, place: int) -> None:
    """DataError when there are more files in a source, or more sources before it, than their numbers can tell apart."""
    if files > FILES_PER_SOURCE or place >= MOST_SOURCES:
        raise DataError(
            f"{files:,} files in {path}, source {place + 1} of its table: up to {FILES_PER_SOURCE:,} files in "
            f"each of {MOST_SOURCES} sources can be told apart. Write fewer, larger files."
        )


def _likely_cause(path: str) -> str:
    if "$" in path:
        return " An environment variable in it is not set."
    if "://" in path or os.path.isabs(path):
        return ""
    if os.path.exists(path):
        return f' A relative path starts at the home; to mean the working directory, write "${{PWD}}/{path}" in quotes.'
    return " A relative path starts at the home."
