"""Join keys of both sides as one type, so that 7 in an int32 column meets 7 in an int64 column."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.errors import WrongType

BUCKET_SEED = 0


def key_type(kind: pa.DataType) -> pa.DataType | None:
    """The type in which keys of ``kind`` are compared; None for one that cannot be a key.

    >>> key_type(pa.int16()), key_type(pa.dictionary(pa.int32(), pa.string()))
    (DataType(int64), DataType(string))
    """
    if pa.types.is_dictionary(kind):
        return key_type(kind.value_type)
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_boolean(kind) or pa.types.is_date(kind) or pa.types.is_timestamp(kind) or pa.types.is_binary(kind):
        return kind
    return None


def check_keys(entity: pa.DataType, stored: pa.DataType, column: str, where: str) -> None:
    """WrongType unless keys of the entity rows can be compared with those of a source."""
    wanted = key_type(stored)
    if wanted is None:
        raise WrongType(column, str(stored), "text, a whole number, true/false or a time", where)
    whole = pa.types.is_floating(entity) and wanted == pa.int64()  # pandas has no integers beside nulls
    if not (pa.types.is_null(entity) or whole or key_type(entity) == wanted):
        raise WrongType(column, str(entity), f"{stored}, as in {where},", "the entity rows")


def keys(table: pa.Table, columns: list[str], names: list[str], kinds: list[pa.DataType]) -> pl.DataFrame:
    """``columns`` of a table under ``names``, each of the type in which keys of ``kinds`` are compared.

    WrongType for a value that this type cannot hold.
    """
    found = {}
    for column, name, kind in zip(columns, names, kinds, strict=True):
        wanted, values = key_type(kind), table[column]
        assert wanted is not None
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        # pandas has NaN for a missing key among numbers; no row has that key, though Polars would match two of them.
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
        try:
            found[name] = values.cast(wanted)
        except pa.ArrowInvalid as error:
            raise WrongType(column, f"{values.type} ({error})", "whole numbers", "the entity rows") from error
    return pl.DataFrame(found)


def buckets(frame: pl.DataFrame, count: int) -> pl.Series:
    """Which of ``count`` partitions each row of keys belongs to; rows without a key are spread over all."""
    hashed = frame.select(pl.struct(pl.all()).hash(seed=BUCKET_SEED)).to_series()
    spread = pl.Series(np.arange(len(frame), dtype=np.uint64))
    keyless = frame.select(pl.any_horizontal(pl.all().is_null())).to_series()
    return hashed.zip_with(~keyless, spread) % count
