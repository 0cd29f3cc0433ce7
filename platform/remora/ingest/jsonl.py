"""Reading JSON lines: an object a line, nested ones by dotted names, every value as text like that of a CSV file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from remora.core.errors import UnreadableInput
from remora.ingest.files import ORDER, UNREADABLE, FileFormat, FileSchema, FileSplit, SourceFile, order_of
from remora.ingest.locate import locate
from remora.ingest.schema import columns_of
from remora.settings import SourceSettings

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 64 << 20

LIST = pa.list_(pa.string())

Row = dict[str, Any]


def flat(value: dict[str, Any], before: str = "") -> Row:
    """Dotted name -> value, without nested objects; names in the order in which they stand.

    >>> flat({"type": "view", "item": {"id": 7, "tags": ["a"]}})
    {'type': 'view', 'item.id': 7, 'item.tags': ['a']}
    """
    found: Row = {}
    for name, one in value.items():
        found |= flat(one, f"{before}{name}.") if isinstance(one, dict) else {f"{before}{name}": one}
    return found


def inspect(file: SourceFile, source: SourceSettings) -> FileSchema:
    """Every name that any line has, in the order in which they come first; rows by reading the file once."""
    fields, rows = _fields(file, source)
    return FileSchema(file, pa.schema(fields), (FileSplit(file, 1, rows),))


def read(split: FileSplit, source: SourceSettings) -> Iterator[pa.Table]:
    """The file's rows in batches; a line that is no object is handed on as it is.

    Lists are columns of lists where `types` says so, else text as JSON. The file is parsed twice: every batch has all
    columns of the file, as the values of all of them make the id of a row.
    """
    fields, _ = _fields(split.file, source)
    for block in _blocks(split.file, source):
        rows = [row or {} for _, row, _ in block]
        columns = [
            pa.array([(_members if field_type == LIST else _text)(row.get(name)) for row in rows], field_type)
            for name, field_type in fields
        ]
        order = np.array([number for number, _, _ in block], np.int64) + order_of(split.file.number, 0)
        unreadable = pa.array([text for _, _, text in block], pa.string())
        schema = pa.schema([*fields, (ORDER, pa.int64()), (UNREADABLE, pa.string())])
        yield pa.table([*columns, pa.array(order), unreadable], schema)


JSONL = FileFormat(locate, inspect, read)


def _fields(file: SourceFile, source: SourceSettings) -> tuple[list[tuple[str, pa.DataType]], int]:
    names, rows = dict[str, None](), 0
    for block in _blocks(file, source):
        for _, row, _ in block:
            rows += 1
            names |= dict.fromkeys(row or ())
    lists = {column for name, column in columns_of(source).items() if source.types.get(name) == "list[string]"}
    return [(name, LIST if name in lists else pa.string()) for name in names], rows


def _blocks(file: SourceFile, source: SourceSettings) -> Iterator[list[tuple[int, Row | None, str | None]]]:
    """Lines with their number (from 1, empty ones left out) as a row, or else as their text."""
    number, rest = 0, b""
    with _damage(file, source), file.filesystem.open_input_stream(file.path) as stream:
        while True:
            piece = stream.read(BLOCK_BYTES)
            *lines, rest = (rest + piece).split(b"\n")
            if not piece:
                lines, rest = [*lines, rest], b""
            elif len(rest) > MAX_LINE_BYTES:
                raise OSError(f"a line has more than {MAX_LINE_BYTES >> 20} MiB")
            block = []
            for line in lines:
                if text := line.decode(source.encoding).strip().removeprefix("\ufeff"):
                    number += 1
                    row = _row(text)
                    block.append((number, row, text if row is None else None))
            if block:
                yield block
            if not piece:
                return


def _row(text: str) -> Row | None:
    try:
        # Numbers as they are written: a float would lose digits of a long id.
        value = json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return flat(value) if isinstance(value, dict) else None


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _members(value: Any) -> list[str] | None:
    if value is None:
        return None
    return [str(_text(one)) for one in value if one is not None] if isinstance(value, list) else [str(_text(value))]


@contextlib.contextmanager
def _damage(file: SourceFile, source: SourceSettings) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeError) as error:
        why = f"it is no sound file of JSON lines in {source.encoding} ({str(error).splitlines()[0]})"
        raise UnreadableInput(file.path, why, "Check `encoding` and `format`, or replace the file.") from error
