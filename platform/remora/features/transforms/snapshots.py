"""What a transform gives, checked: whose row it is, from when on it is valid, and columns that Feast can hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from remora.core.errors import ComponentError
from remora.core.tables import EVENT_TIMESTAMP
from remora.extensions.kinds import TRANSFORM

STAMP = pl.Datetime("us", "UTC")

PLAIN: dict[Any, pa.DataType] = {
    pl.Boolean: pa.bool_(),
    pl.String: pa.string(),
    pl.Int32: pa.int32(),
    pl.Int64: pa.int64(),
    pl.Float32: pa.float32(),
    pl.Float64: pa.float64(),
    STAMP: pa.timestamp("us", "UTC"),
}
"""The types that Feast has; others of the same kind become one that holds all their values."""

READ_BY_REMORA = {
    "user_activity": ("last_event_at", "mean_value"),
    "item_activity": ("last_event_at", "first_event_at", "mean_value", "count_total", "popularity", "trend"),
}
"""View -> columns that Remora itself reads, whichever transform makes them."""


def checked(view: str, key: str, found: Any, until: datetime) -> pa.Table:
    """The rows that are valid at ``until`` at the latest, as Arrow with plain strings and lists.

    ``found`` is what the transform of ``view`` gave; ``key`` names the column of its ids. ComponentError says what it
    lacks: a table, the key, the time, a feature, one row for each key and time, or a type that a view can have.
    """
    if not isinstance(found, pl.DataFrame):
        raise _unusable(view, f"it gives {type(found).__name__} where a polars DataFrame is needed")
    for name, needed in ((key, pl.String), (EVENT_TIMESTAMP, STAMP)):
        if name not in found.columns:
            raise _unusable(view, f"its table has no column {name}; it has: {', '.join(found.columns)}")
        if found.schema[name] != needed:
            raise _unusable(view, f"its column {name} is {found.schema[name]} where {needed} is needed")
        if found[name].null_count():
            raise _unusable(view, f"its column {name} has nulls")
    features = [name for name in found.columns if name not in (key, EVENT_TIMESTAMP)]
    if lacking := [name for name in READ_BY_REMORA.get(view, ()) if name not in features]:
        raise _unusable(view, f"its table has no column {lacking[0]}, which Remora reads")
    if not features:
        raise _unusable(view, "its table has no feature")
    if found.select(pl.struct(key, EVENT_TIMESTAMP).is_duplicated().any()).item():
        raise _unusable(view, f"its table has two rows of one {key} and {EVENT_TIMESTAMP}")
    kept = found.filter(pl.col(EVENT_TIMESTAMP) <= until)
    schema = pa.schema([pa.field(name, _plain_type(kind, view, name)) for name, kind in kept.schema.items()])
    return kept.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema)


def _plain_type(kind: Any, view: str, column: str) -> pa.DataType:
    if kind in PLAIN:
        return PLAIN[kind]
    if isinstance(kind, pl.List | pl.Array):
        if isinstance(kind.inner, pl.List | pl.Array):
            raise _unusable(view, f"its column {column} is {kind}; a view can hold lists of single values")
        return pa.list_(_plain_type(kind.inner, view, column))
    if isinstance(kind, pl.Datetime | pl.Date):
        return PLAIN[STAMP]
    if isinstance(kind, pl.Categorical | pl.Enum):
        return pa.string()
    if kind.is_integer():
        return pa.int64()
    raise _unusable(view, f"its column {column} is {kind}; a view can hold truths, numbers, texts, times and lists")


def _unusable(view: str, why: str) -> ComponentError:
    return ComponentError(TRANSFORM.name, view, why)
