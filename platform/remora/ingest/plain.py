"""Columns of types that DuckDB or Polars does not know, put in one that both know, so that they are no obstacle."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.types as pat

_KNOWN = (
    pat.is_boolean,
    pat.is_integer,
    pat.is_float32,
    pat.is_float64,
    pat.is_decimal32,
    pat.is_decimal64,
    pat.is_decimal128,
    pat.is_date,
    pat.is_time,
    pat.is_timestamp,
    pat.is_duration,
    pat.is_null,
    pat.is_string,
    pat.is_large_string,
    pat.is_string_view,
)


def holds_bytes(type: pa.DataType) -> bool:
    """Is it, or has it, bytes without a meaning of their own? Those are not read.

    >>> holds_bytes(pa.list_(pa.binary())), holds_bytes(pa.uuid()), holds_bytes(pa.string())
    (True, False, False)
    """
    if _is_uuid(type):
        return False
    if isinstance(type, pa.BaseExtensionType):
        return holds_bytes(type.storage_type)
    if pat.is_dictionary(type):
        return holds_bytes(type.value_type)
    if pat.is_nested(type):
        return any(holds_bytes(type.field(i).type) for i in range(type.num_fields))
    return (
        pat.is_binary(type) or pat.is_large_binary(type) or pat.is_fixed_size_binary(type) or pat.is_binary_view(type)
    )


def plain_type(type: pa.DataType) -> pa.DataType:
    """The type a column of this one is read as: itself where it is known, else a wider number, or text.

    >>> plain_type(pa.float16()), plain_type(pa.map_(pa.string(), pa.int8())), plain_type(pa.int8())
    (DataType(float), DataType(string), DataType(int8))
    """
    if pat.is_dictionary(type):
        # Text stays a dictionary: it is what Parquet gives for repeated text, and both readers know it.
        return (
            type
            if pat.is_string(type.value_type) or pat.is_large_string(type.value_type)
            else plain_type(type.value_type)
        )
    if pat.is_float16(type):
        return pa.float32()
    if any(known(type) for known in _KNOWN):
        return type
    if pat.is_list(type) or pat.is_large_list(type) or pat.is_fixed_size_list(type) or pat.is_struct(type):
        return type if all(_is_plain(type.field(i).type) for i in range(type.num_fields)) else pa.string()
    return pa.string()


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in its plain type; what has no text of its own is written as Python writes it."""
    wanted = plain_type(column.type)
    if wanted == column.type:
        return column
    if pat.is_dictionary(column.type):
        return plain(pa.chunked_array([c.dictionary_decode() for c in column.chunks], column.type.value_type))
    if not pat.is_string(wanted):
        return column.cast(wanted)
    texts = [None if value is None else _text(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, pa.string())])


def known_type(type: pa.DataType) -> pa.DataType:
    """How a file's schema names a type: a UUID is text, every other one itself."""
    return pa.string() if _is_uuid(type) else type


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        digits = f"{value:f}"
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    return str(value)


def _is_plain(type: pa.DataType) -> bool:
    return plain_type(type) == type


def _is_uuid(type: pa.DataType) -> bool:
    return isinstance(type, pa.BaseExtensionType) and type.extension_name == "arrow.uuid"
