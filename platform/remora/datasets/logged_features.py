"""What the ranker read of items when they were served, in place of what a join says that it would have read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa

from remora.core.home import Home
from remora.core.tables import ITEM_ID, USER_ID
from remora.datasets.logged_slates import SLATE_ID
from remora.datasets.ranking_rows import QUERY_ID
from remora.events.collected_slates import slates_with_features
from remora.events.tables import FEATURE_SCHEMA, FEATURES
from remora.feedback.attribution import REQUEST_ID
from remora.ranking.columns import RankerColumns
from remora.ranking.slates import Slates

LOGGED_BUNDLE, LOGGED_SCHEMA, LOGGED_FEATURES = "logged_bundle", "logged_schema", "logged_features"
"""Columns of rows: of the bundle that served the item, its schema, and the values (F,) float32 in its columns' order;
null where nothing was logged."""

LOGGED = "as logged"
NOT_LOGGED = "rebuilt, for nothing was logged"
OTHER_SCHEMA = "rebuilt, for they were logged with another schema"
BUNDLE_GONE = "rebuilt, for the bundle that logged them is gone"
ORIGINS = (LOGGED, NOT_LOGGED, OTHER_SCHEMA, BUNDLE_GONE)
"""Where the features of a row are from."""

_NAMES = {"bundle": LOGGED_BUNDLE, FEATURE_SCHEMA: LOGGED_SCHEMA, FEATURES: LOGGED_FEATURES}


def with_logged_features(home: Home, rows: pa.Table) -> pa.Table:
    """``rows`` (query_id, item_id and others) in their order, with the three columns.

    A client may have chosen a request's id twice: what was served first counts, as for outcomes.
    """
    wanted = pl.DataFrame(pl.from_arrow(rows.select([QUERY_ID, ITEM_ID])))
    columns = [USER_ID, REQUEST_ID, "served_at", "items", *_NAMES]
    parts = [_by_item(table, wanted[QUERY_ID].unique()) for table in slates_with_features(home, columns)]
    logged = pl.concat([_NOTHING, *parts]).sort("served_at", maintain_order=True).drop("served_at")
    first = logged.unique([QUERY_ID, ITEM_ID], keep="first", maintain_order=True)
    found = wanted.join(first, on=[QUERY_ID, ITEM_ID], how="left", maintain_order="left")
    for name in _NAMES.values():
        rows = rows.append_column(name, found[name].to_arrow(compat_level=pl.CompatLevel.oldest()))
    return rows


_NOTHING = pl.DataFrame(
    schema={
        QUERY_ID: pl.String,
        ITEM_ID: pl.String,
        "served_at": pl.Datetime("us", "UTC"),
        LOGGED_BUNDLE: pl.String,
        LOGGED_SCHEMA: pl.String,
        LOGGED_FEATURES: pl.List(pl.Float32),
    }
)


def _by_item(slates: pa.Table, wanted: pl.Series) -> pl.DataFrame:
    """A row for each item whose features were logged, of the wanted queries."""
    items = pl.col("items").list.eval(pl.element().struct.field(ITEM_ID))
    return (
        pl.DataFrame(pl.from_arrow(slates))
        .with_columns(SLATE_ID.alias(QUERY_ID))
        .filter(pl.col(QUERY_ID).is_in(wanted.implode()), pl.col(FEATURES).list.len() > 0)
        .with_columns(items.list.head(pl.col(FEATURES).list.len()).alias(ITEM_ID))
        .explode(ITEM_ID, FEATURES)
        .rename(_NAMES)
        .select(_NOTHING.columns)
    )


def as_logged(
    slates: Slates, rows: pa.Table, columns: RankerColumns, by_bundle: Mapping[str, RankerColumns]
) -> tuple[Slates, dict[str, int]]:
    """``slates`` of ``rows``, in the order of these, with the features that were logged where their schema is that of
    ``columns``; and how many rows have theirs from where (:data:`ORIGINS`).

    ``by_bundle`` are the columns of bundles that logged some.
    """
    if LOGGED_BUNDLE not in rows.column_names:
        return slates, {}
    features, counts = slates.batch.features.copy(), Counter({NOT_LOGGED: rows[LOGGED_BUNDLE].null_count})
    logged = pl.DataFrame(pl.from_arrow(rows.select([LOGGED_BUNDLE, LOGGED_SCHEMA, LOGGED_FEATURES])))
    there = logged.with_row_index("row").filter(pl.col(LOGGED_BUNDLE).is_not_null())
    for (bundle, schema), part in there.group_by(LOGGED_BUNDLE, LOGGED_SCHEMA, maintain_order=True):
        by = by_bundle.get(str(bundle))
        if by is None:
            counts[BUNDLE_GONE] += len(part)
        elif not schema == by.schema_hash == columns.schema_hash:
            counts[OTHER_SCHEMA] += len(part)
        else:
            values = part[LOGGED_FEATURES].explode().to_numpy().astype(np.float32).reshape(len(part), -1)
            features[part["row"].to_numpy()] = columns.recoded(values, by)
            counts[LOGGED] += len(part)
    batch = replace(slates.batch, features=features)
    return replace(slates, batch=batch), {origin: counts[origin] for origin in ORIGINS}
