"""Queries of a window of time, with the answers: what a user went on to want."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
import pyarrow as pa

from remora.core.errors import DataError
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, TIMESTAMP, USER_ID, VALUE
from remora.datasets.by_user import COLUMNS, map_users
from remora.datasets.splits import Window
from remora.ingest.lake import Lake
from remora.settings import ObjectiveSettings, Settings

QUERIES = pa.schema(
    [
        pa.field("query_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("instant", TIMESTAMP, nullable=False),
        pa.field("targets", pa.list_(pa.string()), nullable=False),
        pa.field("weights", pa.list_(pa.float64()), nullable=False),
        pa.field("history_events", pa.int64(), nullable=False),  # positive events before the instant
    ]
)
WITHOUT_TARGETS = b"queries_without_targets"
OUTCOMES, LABEL = "outcomes", "label:"  # no feature is called like a label

Objectives = Mapping[str, ObjectiveSettings]


def queries(
    settings: Settings,
    lake: Lake,
    window: Window,
    *,
    objectives: Objectives | None = None,
    include_unlabelled: bool = False,
    hide_seen: bool | None = None,
) -> pa.Table:
    """Queries asked inside ``window`` in order of instant and user; see :data:`QUERIES` for the columns.

    A query stands just before a user's 1st, (1+k)th, … event of the window (k = ``evaluation.events_between_queries``),
    at most ``evaluation.queries_per_user`` of them, spread evenly. Its targets are the distinct items with a wanted
    event in [instant, instant + horizon) and before the window's end; the weight of a target is the largest of its
    events. With ``hide_seen`` (default: as the ranked surface does), an item with an event of the user before the
    instant is no target, for no slate could have held it; without, repeats are targets like any other. Queries without
    targets are counted, see :func:`without_targets`, and left out unless ``include_unlabelled`` ones are asked for.

    With ``objectives``, ``outcomes`` are the distinct items for which any of them has a label above 0 (in the same
    time, by the same rule), and ``label:<objective>`` their labels in the same order.
    DataError for an objective that sums values where events have none.
    """
    hide_seen = settings.ranked_surface.hide_seen if hide_seen is None else hide_seen
    has_value = VALUE in lake.event_schema.names
    check_values(lake, objectives or {})
    schema = schema_with(objectives)
    found = map_users(
        lake,
        lambda events: _queries(events, settings, window, objectives, hide_seen).to_arrow(),
        before=window.end,
        partitions=settings.features.partitions,
        columns=[*COLUMNS, *([VALUE] if has_value else [])],
    )
    parts = [
        pl.DataFrame(pl.from_arrow(t)) for t in found.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)
    ]
    if not parts:
        return schema.empty_table().replace_schema_metadata({WITHOUT_TARGETS: b"0"})
    every = pl.concat(parts).sort("instant", USER_ID)
    answered = every.filter(pl.col("targets").list.len() > 0)
    table = (every if include_unlabelled else answered).select(schema.names).to_arrow().cast(schema)
    return table.replace_schema_metadata({WITHOUT_TARGETS: str(every.height - answered.height).encode()})


def check_values(lake: Lake, objectives: Objectives) -> None:
    """DataError for an objective that sums values where events have none."""
    amounts = [name for name, objective in objectives.items() if objective.label == "value"]
    if amounts and VALUE not in lake.event_schema.names:
        raise DataError(f"Objective {amounts[0]} sums values, and events have none. Map the column `value`.")


def schema_with(objectives: Objectives | None) -> pa.Schema:
    """:data:`QUERIES`, and the columns of outcomes when there are objectives."""
    if objectives is None:
        return QUERIES
    labels = [pa.field(LABEL + name, pa.list_(pa.float64()), nullable=False) for name in objectives]
    return pa.schema([*QUERIES, pa.field(OUTCOMES, pa.list_(pa.string()), nullable=False), *labels])


def without_targets(table: pa.Table) -> int:
    """How many queries had no target, by the metadata of a table of :func:`queries`; its rows may lack them."""
    return int((table.schema.metadata or {}).get(WITHOUT_TARGETS, b"0"))


def sampled(query_rows: pa.Table, most: int, seed: int) -> pa.Table:
    """At most ``most`` rows, each as likely as any other, in their order; the same for the same seed."""
    if len(query_rows) <= most:
        return query_rows
    return query_rows.take(np.sort(np.random.default_rng(seed).choice(len(query_rows), most, replace=False)))


def _queries(
    events: pl.DataFrame, settings: Settings, window: Window, objectives: Objectives | None, hide_seen: bool
) -> pl.DataFrame:
    """Queries of the users of one partition; ``events`` are sorted by user and time."""
    query_rows = _query_rows(events.filter(pl.col(EVENT_TIMESTAMP) >= window.start), settings)
    positives = events.filter(pl.col(EVENT_TYPE).is_in(list(settings.data.positive_types)))
    found = (
        query_rows.join(
            _targets(events, positives, query_rows, settings, hide_seen), on=[USER_ID, "instant"], how="left"
        )
        .join(history_events(positives, query_rows), on=[USER_ID, "instant"], how="left")
        .with_columns(
            pl.format("{}@{}", USER_ID, pl.col("instant").dt.epoch("us")).alias("query_id"),
            pl.col("targets", "weights").fill_null([]),
            pl.col("history_events").fill_null(0),
        )
    )
    if objectives is not None:
        outcomes = _outcomes(events, query_rows, settings, objectives, hide_seen)
        lists = pl.col(OUTCOMES, *(LABEL + name for name in objectives)).fill_null([])
        found = found.join(outcomes, on=[USER_ID, "instant"], how="left").with_columns(lists)
    return found.select(schema_with(objectives).names)


def _query_rows(inside: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Columns user_id and instant: which moments are asked about."""
    every, most = settings.evaluation.events_between_queries, settings.evaluation.queries_per_user
    index = pl.int_range(pl.len()).over(USER_ID)
    moments = (
        inside.filter(index % every == 0)
        .select(USER_ID, pl.col(EVENT_TIMESTAMP).alias("instant"))
        .unique(maintain_order=True)
    )
    nth = pl.int_range(pl.len()).over(USER_ID)
    total = pl.len().over(USER_ID)
    # Keep the n-th moment when it opens one of `most` equal parts of the user's moments.
    opens = (nth * most) // total != ((nth - 1) * most) // total
    return moments.filter((total <= most) | opens)


def _targets(
    events: pl.DataFrame, positives: pl.DataFrame, query_rows: pl.DataFrame, settings: Settings, hide_seen: bool
) -> pl.DataFrame:
    """Columns user_id, instant, targets, weights; queries without targets are absent."""
    weights = {name: t.weight for name, t in settings.data.event_types.items()}
    return (
        _followed(positives, events, query_rows, settings, hide_seen)
        .group_by(USER_ID, "instant", ITEM_ID)
        .agg(pl.col(EVENT_TYPE).replace_strict(weights, return_dtype=pl.Float64).max().alias("weight"))
        .sort(USER_ID, "instant", ITEM_ID)
        .group_by(USER_ID, "instant", maintain_order=True)
        .agg(pl.col(ITEM_ID).alias("targets"), pl.col("weight").alias("weights"))
    )


def _outcomes(
    events: pl.DataFrame, query_rows: pl.DataFrame, settings: Settings, objectives: Objectives, hide_seen: bool
) -> pl.DataFrame:
    """Columns user_id, instant, outcomes and the labels; queries that nothing followed are absent."""
    labels = [LABEL + name for name in objectives]
    counted = events.filter(pl.col(EVENT_TYPE).is_in(sorted({e for o in objectives.values() for e in o.events})))
    return (
        _followed(counted, events, query_rows, settings, hide_seen)
        .group_by(USER_ID, "instant", ITEM_ID)
        .agg(label_of(objective).alias(LABEL + name) for name, objective in objectives.items())
        .filter(pl.any_horizontal(pl.col(labels) > 0))
        .sort(USER_ID, "instant", ITEM_ID)
        .group_by(USER_ID, "instant", maintain_order=True)
        .agg(pl.col(ITEM_ID).alias(OUTCOMES), pl.col(labels))
    )


def label_of(objective: ObjectiveSettings) -> pl.Expr:
    """The label of one item, from its events after the query."""
    mine = pl.col(EVENT_TYPE).is_in(list(objective.events))
    if objective.label == "occurs":
        return mine.any().cast(pl.Float64)
    if objective.label == "repeats":
        return (pl.col(EVENT_TIMESTAMP).filter(mine).n_unique() >= 2).cast(pl.Float64)
    return pl.col(VALUE).filter(mine, pl.col(VALUE) > 0).sum().cast(pl.Float64)


def _followed(
    some: pl.DataFrame, events: pl.DataFrame, query_rows: pl.DataFrame, settings: Settings, hide_seen: bool
) -> pl.DataFrame:
    """Rows of ``some`` within the horizon of each query of their user, of items that its slate could have held."""
    horizon = pl.duration(microseconds=round(settings.evaluation.horizon_days * 86_400e6))
    after = query_rows.join(some, on=USER_ID).filter(
        pl.col(EVENT_TIMESTAMP) >= pl.col("instant"),
        pl.col(EVENT_TIMESTAMP) < pl.col("instant") + horizon,
    )
    if not hide_seen:
        return after
    first_seen = pl.col(EVENT_TIMESTAMP).min().over(USER_ID, ITEM_ID)
    firsts = events.select(USER_ID, ITEM_ID, first_seen.alias("first_seen")).unique()
    return after.join(firsts, on=[USER_ID, ITEM_ID]).filter(pl.col("first_seen") >= pl.col("instant"))


def history_events(positives: pl.DataFrame, query_rows: pl.DataFrame) -> pl.DataFrame:
    """Columns user_id, instant, history_events: positive events strictly before the instant."""
    before = pl.col(EVENT_TIMESTAMP) < pl.col("instant")
    return (
        query_rows.join(positives, on=USER_ID)
        .group_by(USER_ID, "instant")
        .agg(before.sum().cast(pl.Int64).alias("history_events"))
    )
