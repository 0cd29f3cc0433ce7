"""Queries of a window of time, with the answers: what a user went on to want."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from remora.contracts.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, TIMESTAMP, USER_ID
from remora.datasets.by_user import map_users
from remora.datasets.cuts import Window
from remora.ingest.lake import Lake
from remora.settings import Settings

QUERIES = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("instant", TIMESTAMP, nullable=False),
        pa.field("targets", pa.list_(pa.string()), nullable=False),
        pa.field("weights", pa.list_(pa.float64()), nullable=False),
        pa.field("history_events", pa.int64(), nullable=False),  # wanted events before the instant
    ]
)
WITHOUT_TARGETS = b"queries_without_targets"


def queries(settings: Settings, lake: Lake, window: Window) -> pa.Table:
    """Queries asked inside ``window`` in order of instant and user; see :data:`QUERIES` for the columns.

    A query stands just before a user's 1st, (1+k)th, … event of the window (k = ``evaluation.every_events``), at most
    ``evaluation.queries_per_user`` of them, spread evenly. Its targets are the distinct items with a wanted event in
    [instant, instant + horizon) and before the window's end, without any event of the user before the instant; the
    weight of a target is the largest of its events. Queries without targets are left out and counted, see
    :func:`without_targets`.
    """
    found = map_users(
        lake,
        lambda events: _queries(events, settings, window).to_arrow(),
        before=window.end,
        partitions=settings.features.partitions,
    )
    parts = [
        pl.DataFrame(pl.from_arrow(t)) for t in found.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)
    ]
    if not parts:
        return QUERIES.empty_table().replace_schema_metadata({WITHOUT_TARGETS: b"0"})
    every = pl.concat(parts).sort("instant", USER_ID)
    answered = every.filter(pl.col("targets").list.len() > 0)
    table = answered.select(QUERIES.names).to_arrow().cast(QUERIES)
    return table.replace_schema_metadata({WITHOUT_TARGETS: str(every.height - answered.height).encode()})


def without_targets(table: pa.Table) -> int:
    """How many queries :func:`queries` left out because nothing was wanted after them."""
    return int((table.schema.metadata or {}).get(WITHOUT_TARGETS, b"0"))


def _queries(events: pl.DataFrame, settings: Settings, window: Window) -> pl.DataFrame:
    """Queries of the users of one partition; ``events`` are sorted by user and time."""
    asked = _asked(events.filter(pl.col(EVENT_TIMESTAMP) >= window.start), settings)
    wanted = events.filter(pl.col(EVENT_TYPE).is_in(list(settings.data.positive_types)))
    return (
        asked.join(_targets(events, wanted, asked, settings), on=[USER_ID, "instant"], how="left")
        .join(_history(wanted, asked), on=[USER_ID, "instant"], how="left")
        .with_columns(
            pl.format("{}@{}", USER_ID, pl.col("instant").dt.epoch("us")).alias("query_id"),
            pl.col("targets", "weights").fill_null([]),
            pl.col("history_events").fill_null(0),
        )
        .select(QUERIES.names)
    )


def _asked(inside: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Columns user_id and instant: which moments are asked about."""
    every, most = settings.evaluation.every_events, settings.evaluation.queries_per_user
    place = pl.int_range(pl.len()).over(USER_ID)
    moments = (
        inside.filter(place % every == 0)
        .select(USER_ID, pl.col(EVENT_TIMESTAMP).alias("instant"))
        .unique(maintain_order=True)
    )
    nth = pl.int_range(pl.len()).over(USER_ID)
    total = pl.len().over(USER_ID)
    # Keep the n-th moment when it opens one of `most` equal parts of the user's moments.
    opens = (nth * most) // total != ((nth - 1) * most) // total
    return moments.filter((total <= most) | opens)


def _targets(events: pl.DataFrame, wanted: pl.DataFrame, asked: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Columns user_id, instant, targets, weights; queries without targets are absent."""
    weights = {name: t.weight for name, t in settings.data.event_types.items()}
    horizon = pl.duration(microseconds=round(settings.evaluation.horizon_days * 86_400e6))
    first_seen = pl.col(EVENT_TIMESTAMP).min().over(USER_ID, ITEM_ID)
    fresh = events.select(USER_ID, ITEM_ID, first_seen.alias("first_seen")).unique()
    return (
        asked.join(wanted, on=USER_ID)
        .filter(
            pl.col(EVENT_TIMESTAMP) >= pl.col("instant"),
            pl.col(EVENT_TIMESTAMP) < pl.col("instant") + horizon,
        )
        .join(fresh, on=[USER_ID, ITEM_ID])
        .filter(pl.col("first_seen") >= pl.col("instant"))
        .group_by(USER_ID, "instant", ITEM_ID)
        .agg(pl.col(EVENT_TYPE).replace_strict(weights, return_dtype=pl.Float64).max().alias("weight"))
        .sort(USER_ID, "instant", ITEM_ID)
        .group_by(USER_ID, "instant", maintain_order=True)
        .agg(pl.col(ITEM_ID).alias("targets"), pl.col("weight").alias("weights"))
    )


def _history(wanted: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Columns user_id, instant, history_events: wanted events strictly before the instant."""
    before = pl.col(EVENT_TIMESTAMP) < pl.col("instant")
    return (
        asked.join(wanted, on=USER_ID)
        .group_by(USER_ID, "instant")
        .agg(before.sum().cast(pl.Int64).alias("history_events"))
    )
