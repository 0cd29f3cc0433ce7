"""A table of Parquet files: found, checked by their footers, and read in slices of whole row groups."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from remora.core.artifacts import verify_part
from remora.core.errors import MissingInput, UnreadableInput

FOOTER_THREADS = 8


@dataclass(frozen=True)
class Slice:
    """Row groups of one file. ``first`` is the number of their first row in the whole table."""

    file: str
    groups: tuple[int, ...]
    first: int
    rows: int


@dataclass(frozen=True)
class _File:
    path: str
    rows: tuple[int, ...]  # of each row group
    bytes: dict[str, int]  # of each column, uncompressed
    schema: pa.Schema
    digest: str  # of the footer: sizes, places and statistics of every column


@dataclass(frozen=True)
class ParquetTable:
    """A file, or all ``*.parquet`` files below a folder in the order of their paths; schemas may differ in width."""

    where: str
    filesystem: pafs.FileSystem
    files: tuple[_File, ...]
    schema: pa.Schema

    @classmethod
    def open(cls, where: str, filesystem: pafs.FileSystem | None = None) -> ParquetTable:
        """Read the footers. MissingInput when nothing is there, UnreadableInput names a file that cannot be read.

        ChecksumMismatch where the folder belongs to a version of Remora's feature tables, and a file is not as it was
        written.

        ``where`` is a path of ``filesystem``; without one, a local path or a URL.
        """
        if filesystem is None and "://" in where:
            filesystem, where = pafs.FileSystem.from_uri(where)
        elif filesystem is None:
            filesystem, where = pafs.LocalFileSystem(), str(Path(where).absolute())
        if isinstance(filesystem, pafs.LocalFileSystem):
            verify_part(where)
        with ThreadPoolExecutor(FOOTER_THREADS) as pool:
            files = tuple(pool.map(lambda path: _footer(path, filesystem), _paths(where, filesystem)))
        try:
            schema = pa.unify_schemas([file.schema for file in files], promote_options="permissive")
        except pa.ArrowTypeError as error:
            raise UnreadableInput(where, f"its files do not agree: {error}") from error
        return cls(where, filesystem, files, schema.remove_metadata())

    @cached_property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(sum(file.rows) for file in self.files)

    def kind(self, column: str) -> pa.DataType:
        """The column's type; MissingInput lists the columns there are."""
        if column not in self.schema.names:
            raise MissingInput(f"column of {self.where}", column, self.schema.names, "Fix the declaration or the file.")
        return self.schema.field(column).type

    def bytes(self, columns: Iterable[str]) -> int:
        """Bytes of some columns, uncompressed as Parquet encodes them."""
        names = set(columns)
        return sum(size for file in self.files for name, size in file.bytes.items() if name in names)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all footers and paths: changes when any file does."""
        return hashlib.sha256("".join(f"{file.path}{file.digest}" for file in self.files).encode()).hexdigest()

    def slices(self, rows: int) -> list[Slice]:
        """The table in slices of about so many rows, at least one row group each."""
        slices, first = [], 0
        for file in self.files:
            groups: list[int] = []
            held = 0
            for group, count in enumerate(file.rows):
                if groups and held + count > rows:
                    slices.append(Slice(file.path, tuple(groups), first, held))
                    groups, first, held = [], first + held, 0
                groups.append(group)
                held += count
            slices.append(Slice(file.path, tuple(groups), first, held))
            first += held
        return slices

    def read(self, chosen: Slice, columns: list[str] | None = None) -> pa.Table:
        """The rows of one slice, ``columns`` or all, in the types of the whole table; a column its file lacks is null.

        UnreadableInput when the file cannot be read.
        """
        names = columns or self.schema.names
        try:
            with pq.ParquetFile(chosen.file, filesystem=self.filesystem, page_checksum_verification=True) as file:
                present = [name for name in names if name in file.schema_arrow.names]
                table = file.read_row_groups(list(chosen.groups), columns=present, use_threads=False)
        except (OSError, pa.ArrowInvalid) as error:
            raise UnreadableInput(chosen.file, _reason(error)) from error
        read = []
        for name in names:
            kind = self.schema.field(name).type
            read.append(table[name].cast(kind) if name in present else pa.chunked_array([pa.nulls(len(table), kind)]))
        return pa.table(read, names=names)


def _paths(where: str, filesystem: pafs.FileSystem) -> list[str]:
    found = filesystem.get_file_info(where)
    if found.type == pafs.FileType.File:
        return [where]
    if found.type == pafs.FileType.NotFound:
        raise MissingInput("Parquet file or folder", where, hint="Fix the path, or make the table first.")
    below = filesystem.get_file_info(pafs.FileSelector(where, recursive=True))
    paths = [f.path for f in below if f.type == pafs.FileType.File and _is_data(f.path[len(where) :])]
    if not paths:
        raise MissingInput("*.parquet file in the folder", where, hint="Fix the path, or make the table first.")
    return sorted(paths)


def _is_data(below: str) -> bool:
    """Names that begin with a dot or an underscore are another program's bookkeeping."""
    return below.endswith(".parquet") and not any(part.startswith((".", "_")) for part in below.split("/"))


def _footer(path: str, filesystem: pafs.FileSystem) -> _File:
    if filesystem.get_file_info(path).size == 0:
        raise UnreadableInput(path, "it has no bytes")
    try:
        with pq.ParquetFile(path, filesystem=filesystem, page_checksum_verification=True) as file:
            about, schema = file.metadata, file.schema_arrow
    except (OSError, pa.ArrowInvalid) as error:
        raise UnreadableInput(path, _reason(error)) from error
    groups = [about.row_group(g) for g in range(about.num_row_groups)]
    sizes: dict[str, int] = {}
    for group in groups:
        for number in range(group.num_columns):
            column = group.column(number)
            name = column.path_in_schema.split(".")[0]
            sizes[name] = sizes.get(name, 0) + column.total_uncompressed_size
    digest = hashlib.sha256(repr(about.to_dict()).encode()).hexdigest()
    return _File(path, tuple(group.num_rows for group in groups), sizes, schema, digest)


def _reason(error: Exception) -> str:
    """What Arrow says, on one line and without its full stop."""
    return " ".join(str(error).split()).rstrip(" .")
