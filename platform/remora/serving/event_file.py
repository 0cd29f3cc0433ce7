"""Reads events of a file, as `POST /v1/events` takes them: columns are called as the fields of an event.

What a column's type says is read as the ingest reads it, so that the id 12.0 of a column of numbers is the item 12.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, cast

import polars as pl
import pyarrow as pa

from remora.core.errors import DataError, MissingInput, UnreadableInput
from remora.core.printable import one_line
from remora.core.strict_json import loads
from remora.core.tables import EVENT_TIMESTAMP, VALUE
from remora.events.contract import TEXTS
from remora.ingest.casting import present, read_as, readable
from remora.serving.event_schemas import MAX_VALUES
from remora.settings import SourceSettings

JSON_LINES, CSV, PARQUET = (".jsonl", ".ndjson", ".json"), (".csv",), (".parquet",)
COMPRESSED = ".gz"
NUMBERS = (VALUE, "position")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines, CSV or Parquet, by the ending of its name; the first two may be gzipped.

    MissingInput without the file, DataError for one that cannot be read, UnreadableInput for one that is cut off.
    """
    if not path.is_file():
        raise MissingInput("file", str(path))
    ending = path.name.lower().removesuffix(COMPRESSED)
    if ending.endswith(JSON_LINES):
        return _lines(path)
    if ending.endswith(CSV):
        # Polars takes .gz itself; whether it is whole is found while it is read.
        return _rows(path, lambda: pl.read_csv(path, infer_schema=False))
    if path.name.lower().endswith(PARQUET):
        return _rows(path, lambda: pl.read_parquet(path))
    raise DataError(
        f"'{path}' has an ending that says of no format. Names end in {', '.join((*JSON_LINES, *CSV, *PARQUET))}; "
        f"those of text may have {COMPRESSED} behind it."
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    opens = gzip.open if path.name.lower().endswith(COMPRESSED) else open
    with cast(BinaryIO, opens(path, "rb")) as file:
        try:
            for number, text in enumerate(file, 1):
                line = text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text
                if line.strip():
                    yield _object(path, number, line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UnreadableInput(str(path), str(error)) from error


def _object(path: Path, number: int, line: bytes) -> Any:
    try:
        value = loads(line, MAX_VALUES)
        json.dumps(value, allow_nan=False)  # NaN is a number to Python, and none to JSON
    except ValueError as error:
        raise DataError(f"Line {number:,} of '{path}' is no JSON: {one_line(str(error))}.") from error
    return value


def _rows(path: Path, read: Callable[[], pl.DataFrame]) -> Iterator[dict[str, Any]]:
    try:
        rows = read()
        typed = rows.select(_column(path, name, dtype) for name, dtype in rows.schema.items())
    except pl.exceptions.PolarsError as error:
        raise DataError(f"'{path}' cannot be read: {one_line(str(error))}.") from error
    except (OSError, EOFError) as error:
        raise UnreadableInput(str(path), one_line(str(error))) from error
    for row in typed.iter_rows(named=True):
        yield {name: _plain(name, value) for name, value in row.items() if value is not None}


def _column(path: Path, name: str, dtype: pl.DataType) -> pl.Expr:
    source = SourceSettings.model_validate({"path": str(path), "format": "parquet", "columns": {}})
    if name in TEXTS:
        if not readable(pl.Series(dtype=dtype).to_arrow().type, pa.string()):
            raise DataError(f"The column '{name}' of '{path}' has the type {dtype}, of which no text can be made.")
        return read_as(pa.string(), name, dtype, source).alias(name)
    if name in NUMBERS:
        return present(name, dtype, source).cast(pl.Float64).fill_nan(None).alias(name)
    if name == EVENT_TIMESTAMP and isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        return pl.col(name).dt.replace_time_zone("UTC")
    return pl.col(name)


def _plain(name: str, value: Any) -> Any:
    """A value as JSON has it; what JSON has not becomes text, which the contract then refuses with its reason."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        there = {one: found for one, found in value.items() if not _is_missing(found)}
        return {one: _plain(one, found) for one, found in there.items()}
    if isinstance(value, Decimal):
        value = float(value)
    if name == "position" and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float) and name not in TEXTS else str(value)


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
