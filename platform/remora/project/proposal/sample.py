"""Some rows of a table, read as ingest reads them: all of a small one, parts from everywhere of a large one."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from remora.core.errors import DataError, UnreadableInput
from remora.ingest.casting import natural
from remora.ingest.files import ORDER, UNREADABLE, FileSchema, FileSplit, SourceFile
from remora.ingest.formats import FORMATS
from remora.project.proposal.csv_dialect import CsvDialect, csv_dialect
from remora.project.proposal.formats import head, located
from remora.settings import SourceSettings

TEXT = ("csv", "jsonl")
"""Formats without types, which are read in parts; the others have splits."""

MAX_ROWS = 400_000
"""Of files with types; with more, row groups and batches are left out evenly."""

MAX_BYTES = 12 << 20
"""Of text; a larger file is read in parts."""

MAX_BATCHES = 6
"""Of a compressed text file, which cannot be read in parts: 24 MiB."""

MOSTLY = 0.5
"""Of the rows must be divided into columns."""

PARTS = 16
MAX_FILES = 16

T = TypeVar("T")


@dataclass(frozen=True)
class TableSample:
    """The rows of one table, with what was found of how its files are written.

    ``rows`` are what ``sources`` mean, raw: every column of CSV and JSON lines is text. ``total`` rows are in all
    files, which is an estimate unless ``exact``.
    """

    table: str
    path: str
    format: str
    dialect: CsvDialect
    rows: pl.DataFrame
    raw: pa.Table
    schemas: tuple[FileSchema, ...]
    total: int
    exact: bool

    @cached_property
    def unread(self) -> frozenset[str]:
        """Columns of types that the lake does not have, such as a map, though their values can be shown as text."""
        fields = [field for schema in self.schemas for field in schema.schema]
        return frozenset(field.name for field in fields if natural(field.type) is None)

    @property
    def typed(self) -> bool:
        """Have its columns types of their own?"""
        return self.format not in TEXT

    def described(self, **more: Any) -> SourceSettings:
        """The settings of the source, with some more."""
        return _settings(self.path, self.format, {**self.dialect.options, **more})

    def read_again(self, source: SourceSettings) -> pa.Table:
        """The same rows with other settings: lists of JSON lines are lists only where those say so."""
        if self.format != "jsonl" or "list[string]" not in source.types.values():
            return self.raw
        return _of_text([schema.file for schema in self.schemas], source, Path())[0]


def take_sample(table: str, path: str, option: str, folder: Path) -> TableSample:
    """Read a table's sample; parts of large files are put together in ``folder``.

    DataError, MissingInput or UnreadableInput say what to do where the path is no table with a row.
    """
    path = path if "://" in path else os.path.abspath(path)
    format, found = located(path, option)
    dialect = csv_dialect(head(found.files[0]), found.files[0].path) if format == "csv" else CsvDialect({})
    source = _settings(path, format, dialect.options)
    chosen = evenly(found.files, MAX_FILES)
    read = _of_text if format in TEXT else _of_table
    raw, schemas, total, exact = read(chosen, source, folder)
    if len(chosen) < len(found.files):
        sizes = [sum(file.size for file in files) for files in (found.files, chosen)]
        total, exact = round(total * sizes[0] / sizes[1]), False
    if not raw.num_rows:
        raise DataError(f"The {table} table '{path}' of {option} is empty: it has no row. Name the file with the rows.")
    if raw[UNREADABLE].null_count < raw.num_rows * MOSTLY:
        broken = raw[UNREADABLE].drop_null()
        raise UnreadableInput(
            path,
            f"{len(broken):,} of {raw.num_rows:,} rows cannot be divided into columns, the first is "
            f"{broken[0].as_py()[:80]!r}",
            "Give a file in which every row has the same columns, or every line is a JSON object.",
        )
    # pandas' index has no name, and Polars would give it one.
    rows = pl.DataFrame(pl.from_arrow(raw.drop_columns([ORDER, UNREADABLE, *({""} & set(raw.column_names))])))
    return TableSample(table, path, format, dialect, rows, raw, schemas, total, exact)


def evenly(values: Sequence[T], most: int) -> list[T]:
    """At most so many of the values, the first and the last among them, the others evenly between.

    >>> evenly(range(10), 4)
    [0, 3, 6, 9]
    """
    if len(values) <= most:
        return list(values)
    return [values[round(place * (len(values) - 1) / (most - 1))] for place in range(most)]


def _settings(path: str, format: str, options: dict[str, Any]) -> SourceSettings:
    return SourceSettings.model_validate({"path": path, "format": format, "columns": {}, **options})


def _concat(tables: list[pa.Table]) -> pa.Table:
    if not tables:
        return pa.table({ORDER: pa.array([], pa.int64()), UNREADABLE: pa.array([], pa.string())})
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowTypeError:  # a column of numbers in one file that is text in another
        texts = _mixed_with_text(tables)
        return pa.concat_tables([_as_text(table, texts) for table in tables], promote_options="permissive")


def _mixed_with_text(tables: list[pa.Table]) -> set[str]:
    """Columns that are text in some tables and whole numbers in the others, which an ingest reads as text.

    DataError for a column of types that are nothing in common.
    """
    types: dict[str, dict[pa.DataType, None]] = {}
    for field in (field for table in tables for field in table.schema):
        types.setdefault(field.name, {})[field.type] = None
    mixed = set()
    for name, found in types.items():
        try:
            pa.unify_schemas([pa.schema([(name, type)]) for type in found], promote_options="permissive")
        except pa.ArrowTypeError as error:
            if not all(natural(type) in (pa.string(), pa.int64()) for type in found):
                raise DataError(
                    f"The column '{name}' is of the type {' in one file and '.join(map(str, found))} in another. Write "
                    f"all files of a table with the same types."
                ) from error
            mixed.add(name)
    return mixed


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    fields = [field.with_type(pa.string()) if field.name in names else field for field in table.schema]
    return table.cast(pa.schema(fields))


Reading = tuple[pa.Table, tuple[FileSchema, ...], int, bool]
"""Rows, what a look at their files says, how many rows there are in all of those, and whether that is counted."""


def _of_text(files: Sequence[SourceFile], source: SourceSettings, folder: Path) -> Reading:
    parts = [_part(file, source, MAX_BYTES // len(files), folder) for file in files]
    tables, whole = [], True
    for part in parts:
        batches = FORMATS[source.format].read(FileSplit(part, 1, 0), source)
        tables += list(islice(batches, MAX_BATCHES))
        whole &= next(batches, None) is None
    raw = _concat(tables)
    named = pa.schema([field for field in raw.schema if field.name not in (ORDER, UNREADABLE)])
    schemas = tuple(FileSchema(part, named, (FileSplit(part, 1, raw.num_rows),)) for part in parts)
    read, size = (sum(file.size for file in some) for some in (parts, files))
    return raw, schemas, round(raw.num_rows * size / max(read, 1)), whole and read == size


def _of_table(files: Sequence[SourceFile], source: SourceSettings, folder: Path) -> Reading:
    """Rows of typed files: all, or batches from everywhere."""
    format = FORMATS[source.format]
    schemas = tuple(format.inspect(file, source) for file in files)
    splits = [split for schema in schemas for split in schema.splits]
    if source.format == "parquet":
        splits = [split for file in files for split in _row_groups(file)]
    total = sum(split.rows for split in splits)
    chosen = evenly(splits, max(2, math.ceil(2 * MAX_ROWS * len(splits) / max(total, 1))))
    every = math.ceil(sum(split.rows for split in chosen) / MAX_ROWS) or 1
    batches = (batch for split in chosen for batch in format.read(split, source))
    return _concat(list(islice(batches, 0, None, every))), schemas, total, True


def _row_groups(file: SourceFile) -> Iterator[FileSplit]:
    metadata = pq.read_metadata(file.path, filesystem=file.filesystem)
    first = 1
    for number in range(metadata.num_row_groups):
        rows = metadata.row_group(number).num_rows
        yield FileSplit(file, first, rows, (number,))
        first += rows


def _part(file: SourceFile, source: SourceSettings, most: int, folder: Path) -> SourceFile:
    """The file itself, or one in ``folder`` with lines from everywhere in it."""
    if file.size <= most or not _seekable(file, source):
        return file
    aside = folder / f"{source.format}_{file.number}_{os.path.basename(file.path)}"
    step = most // PARTS
    with file.filesystem.open_input_file(file.path) as opened, aside.open("wb") as out:
        for number, start in enumerate(evenly(range(0, file.size - step, step), PARTS)):
            opened.seek(start)
            lines = opened.read(step).split(b"\n")
            # The first line of a later part has lost its beginning, the last of each its end.
            out.write(b"\n".join(lines[1 if number else 0 : -1]) + b"\n")
    return SourceFile(pafs.LocalFileSystem(), str(aside), file.number, aside.stat().st_size, file.modified_ns)


def _seekable(file: SourceFile, source: SourceSettings) -> bool:
    compressed = file.path.endswith((".gz", ".bz2", ".zst", ".lz4"))
    return not compressed and "\n".encode(source.encoding) == b"\n"


def sample_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for parts of large files, which goes when its context ends."""
    return tempfile.TemporaryDirectory(prefix="remora-init-")
