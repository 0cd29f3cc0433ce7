"""The declared columns of users and items as feature tables, each row valid from its timestamp."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.errors import MissingInput
from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID, TIMESTAMP, USER_ID
from remora.ingest.schema import DELETED
from remora.settings import DataSettings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CATEGORY_NUMBERS = "category_numbers"


def user_profile(users: pa.Table, data: DataSettings) -> pa.Table | None:
    """The columns ``data.user_columns`` of every version of every user; None when the data declares none."""
    if not data.user_columns:
        return None
    return _profile(users, USER_ID, data.user_columns)


def item_profile(items: pa.Table, data: DataSettings) -> pa.Table | None:
    """Item columns that are features, title, category, available and text of every version of every item; None when
    the data declares none."""
    named = (data.title, data.category, data.available, *data.item_columns, *data.text_columns)
    columns = tuple(dict.fromkeys(name for name in named if name))
    return _profile(items, ITEM_ID, columns) if columns else None


def item_catalogue(items: pa.Table, data: DataSettings, names: list[str]) -> pa.Table:
    """What Remora itself says of every version of every item, apart from the data's columns, whose names are free.

    ``in_catalogue`` (true, null from a deletion on), ``entered_at``, seconds since 1970 of the item's first version,
    null where the source gives versions no time, and ``category_numbers`` (list of int32, the category's position in
    ``names``, without those that are not there) where a category is declared.
    """
    catalogue = _profile(items, ITEM_ID, ())
    gone = pc.fill_null(items[DELETED], False).to_numpy() if DELETED in items.column_names else None
    catalogue = catalogue.append_column("in_catalogue", pa.array(np.ones(catalogue.num_rows, bool), mask=gone))
    catalogue = catalogue.append_column("entered_at", _entered(catalogue))
    if data.category is None:
        return catalogue
    _check(items, (data.category,), ITEM_ID)
    return catalogue.append_column(CATEGORY_NUMBERS, _numbers(items[data.category], names))


def _entered(catalogue: pa.Table) -> pa.ChunkedArray:
    versions = pl.DataFrame(pl.from_arrow(catalogue.select([ITEM_ID, EVENT_TIMESTAMP])))
    first = pl.col(EVENT_TIMESTAMP).min().over(ITEM_ID)
    known = pl.when(first > EPOCH).then(first).dt.epoch("us") / 1e6  # a first version without a time hides the entry
    return versions.select(known.alias("entered")).to_arrow()["entered"]


def category_names(items: pa.Table, category: str | None) -> list[str]:
    """Every category in the column ``category`` of ``items``, the one of most items first; equal ones by name."""
    if category is None or items.num_rows == 0:
        return []
    _check(items, (category,), ITEM_ID)
    listed = _as_lists(items[category])
    pairs = pa.table(
        {"item": pc.take(items[ITEM_ID], pc.list_parent_indices(listed)), "name": pc.list_flatten(listed)}
    ).filter(pc.field("name").is_valid())
    counts = pairs.group_by("name").aggregate([("item", "count_distinct")])
    return counts.sort_by([("item_count_distinct", "descending"), ("name", "ascending")])["name"].to_pylist()


def _profile(table: pa.Table, key: str, columns: tuple[str, ...]) -> pa.Table:
    _check(table, columns, key)
    since = (
        pc.fill_null(table[EVENT_TIMESTAMP].cast(TIMESTAMP), pa.scalar(EPOCH, TIMESTAMP))
        if EVENT_TIMESTAMP in table.column_names
        else pa.array([EPOCH] * table.num_rows, TIMESTAMP)
    )
    kept = {name: table[name].cast(_plain_type(table[name].type)) for name in columns}
    return pa.table({key: table[key].cast(pa.string()), EVENT_TIMESTAMP: since} | kept)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The one of Feast's types that holds every value of this one."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_large_string(kind) or pa.types.is_dictionary(kind):
        return pa.string()
    if pa.types.is_integer(kind):
        return pa.int64()
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return TIMESTAMP
    return kind


def _check(table: pa.Table, columns: tuple[str, ...], key: str) -> None:
    for name in columns:
        if name not in table.column_names:
            kind = f"column of {key.removesuffix('_id')}s"
            raise MissingInput(kind, name, table.column_names, "Map it in the source's columns, or do not declare it.")


def _as_lists(column: pa.ChunkedArray) -> pa.Array:
    flat = column.combine_chunks()
    if pa.types.is_list(flat.type) or pa.types.is_large_list(flat.type):
        return flat.cast(pa.list_(pa.string()))
    offsets = pa.array(np.concatenate([[0], np.cumsum(pc.is_valid(flat).to_numpy(zero_copy_only=False))]), pa.int32())
    return pa.ListArray.from_arrays(offsets, pc.drop_null(flat).cast(pa.string()))


def _numbers(column: pa.ChunkedArray, names: list[str]) -> pa.Array:
    listed = _as_lists(column)
    numbers = pc.index_in(pc.list_flatten(listed), pa.array(names, pa.string()))
    # A name that is not among them, as one that came after them, has no number.
    known = pc.is_valid(numbers)
    rows = pc.list_parent_indices(listed).filter(known).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(listed)))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), numbers.filter(known).cast(pa.int32()))
