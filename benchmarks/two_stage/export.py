"""What peers are given: what was wanted before an instant, and the queries with their users' whole histories."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.ingest.lake import Lake
from remora.retrieval.positive_events import COLUMNS
from remora.settings import Settings


def wanted_events(lake: Lake, settings: Settings, before: datetime) -> pl.DataFrame:
    """Columns user_id, item_id, event_timestamp and weight, the largest a pair has, by user and first time."""
    weights = {name: t.weight for name, t in settings.data.event_types.items() if t.sign > 0}
    parts = [
        pl.DataFrame(pl.from_arrow(batch)).filter(pl.col(EVENT_TYPE).is_in(list(weights)))
        for batch in lake.events(before=before, columns=COLUMNS).iter_batches(batch_format="pyarrow", batch_size=None)
    ]
    return (
        pl.concat(parts)
        .with_columns(pl.col(EVENT_TYPE).replace_strict(weights, return_dtype=pl.Float64).alias("weight"))
        .group_by(USER_ID, ITEM_ID)
        .agg(pl.col(EVENT_TIMESTAMP).min(), pl.col("weight").max())
        .sort(USER_ID, EVENT_TIMESTAMP, ITEM_ID)
    )


def exported(lake: Lake, settings: Settings, asked: pa.Table, fitted_before: datetime, folder: Path, name: str) -> None:
    """``<name>_events.parquet`` of before ``fitted_before``, to fit on, and ``<name>_queries.parquet``: query_id,
    instant, targets, weights, and ``history``, the items that the user wanted before the instant, most recent last."""
    every = wanted_events(lake, settings, lake.end)
    every.filter(pl.col(EVENT_TIMESTAMP) < pl.lit(fitted_before)).write_parquet(folder / f"{name}_events.parquet")
    queries = pl.DataFrame(asked).select("query_id", USER_ID, "instant", "targets", "weights")
    history = (
        queries.select("query_id", USER_ID, "instant")
        .join(every, on=USER_ID)
        .filter(pl.col(EVENT_TIMESTAMP) < pl.col("instant"))
        .sort("query_id", EVENT_TIMESTAMP, ITEM_ID)
        .group_by("query_id", maintain_order=True)
        .agg(pl.col(ITEM_ID).alias("history"))
    )
    queries.join(history, on="query_id", how="left", maintain_order="left").with_columns(
        pl.col("history").fill_null([])
    ).write_parquet(folder / f"{name}_queries.parquet")
