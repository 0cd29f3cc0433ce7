"""Reading CSV: every value as text, one split a file; a row with too few or too many columns is handed on as it is."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from remora.core.errors import UnreadableInput
from remora.ingest.delimiter import ONE_CHARACTER, OneCharacter
from remora.ingest.files import ORDER, UNREADABLE, FileFormat, FileSchema, FileSplit, SourceFile, order_of
from remora.ingest.locate import locate
from remora.settings import SourceSettings

BLOCK_BYTES = 4 << 20


class _RaggedRows:
    """Rows that could not be split, by row number (1 is the first data row; the reader counts a header as 1)."""

    def __init__(self, source: SourceSettings) -> None:
        self.texts: dict[int, str] = {}
        self._header = 0 if source.column_names else 1

    def __call__(self, row: pacsv.InvalidRow) -> str:
        self.texts[row.number - self._header] = row.text
        return "skip"


def inspect(file: SourceFile, source: SourceSettings) -> FileSchema:
    """Column names from the header or the settings, rows by parsing the file once."""
    with _damage(file, source):
        names = _header(file, source)
        rows = sum(table.num_rows for table in _parse(file, source, names))
    return FileSchema(file, pa.schema([(name, pa.string()) for name in names]), (FileSplit(file, 1, rows),))


def read(split: FileSplit, source: SourceSettings) -> Iterator[pa.Table]:
    """The file's rows in batches, every column a string exactly as written."""
    with _damage(split.file, source):
        yield from _parse(split.file, source, _header(split.file, source))


CSV = FileFormat(locate, inspect, read)


def _header(file: SourceFile, source: SourceSettings) -> list[str]:
    with _reader(file, source, pacsv.ConvertOptions(), _RaggedRows(source)) as reader:
        names = reader.schema.names
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UnreadableInput(file.path, f"its header names a column twice: {', '.join(twice)}")
    return names


def _parse(file: SourceFile, source: SourceSettings, names: list[str]) -> Iterator[pa.Table]:
    # Every column by name: Arrow infers the type of others from the first block, and fails at a later one that differs.
    as_text = pacsv.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=False)
    ragged, given, next_row = _RaggedRows(source), 0, 1
    with _reader(file, source, as_text, ragged) as reader:
        for batch in reader:
            # A batch does not say which rows were skipped before or within it, so its rows get the numbers that are
            # left.
            unread = sorted(row for row in ragged.texts if row >= next_row)
            numbers = np.arange(next_row, next_row + batch.num_rows + len(unread))
            numbers = np.setdiff1d(numbers, unread, assume_unique=True)[: batch.num_rows]
            if len(numbers):
                next_row = int(numbers[-1]) + 1
                yield _numbered(pa.Table.from_batches([batch]), file, numbers)
    given = len(ragged.texts)
    if given:
        empty = pa.table({name: pa.nulls(given, pa.string()) for name in names})
        yield _numbered(empty, file, np.array(list(ragged.texts)), list(ragged.texts.values()))


def _numbered(table: pa.Table, file: SourceFile, rows: np.ndarray, texts: list[str] | None = None) -> pa.Table:
    unreadable = pa.nulls(table.num_rows, pa.string()) if texts is None else pa.array(texts, pa.string())
    return table.append_column(ORDER, pa.array(rows + order_of(file.number, 0), pa.int64())).append_column(
        UNREADABLE, unreadable
    )


def _reader(
    file: SourceFile, source: SourceSettings, convert: pacsv.ConvertOptions, ragged: _RaggedRows
) -> pacsv.CSVStreamingReader:
    stream = file.filesystem.open_input_stream(file.path)
    delimiter = source.delimiter
    if len(delimiter) > 1:
        stream, delimiter = pa.PythonFile(OneCharacter(stream, delimiter.encode()), mode="r"), ONE_CHARACTER.decode()
    return pacsv.open_csv(
        stream,
        # Without threads, because Arrow knows the number of a row that it cannot split only when it parses in order.
        read_options=pacsv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            encoding=source.encoding,
            column_names=source.column_names or None,
        ),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter,
            quote_char=source.quote or False,
            escape_char=source.escape or False,
            newlines_in_values=source.quote is not None,
            invalid_row_handler=ragged,
        ),
        convert_options=convert,
    )


@contextlib.contextmanager
def _damage(file: SourceFile, source: SourceSettings) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError, LookupError) as error:
        why = f"it is not a sound CSV file in {source.encoding} ({str(error).splitlines()[0]})"
        raise UnreadableInput(
            file.path, why, "Check `delimiter`, `quote` and `encoding`, or replace the file."
        ) from error
