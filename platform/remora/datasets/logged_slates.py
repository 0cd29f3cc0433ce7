"""Slates that were shown, with what followed: the join of impressions and what users did next."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from remora.core.errors import DataError
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID, VALUE
from remora.datasets.by_user import COLUMNS, map_users
from remora.datasets.queries import LABEL, OUTCOMES, Objectives, check_values, history_events, label_of, schema_with
from remora.datasets.splits import Window
from remora.feedback.attribution import EXPOSED_AT, ORPHAN, REQUEST_ID, attribute, rule_of
from remora.ingest.lake import Lake
from remora.settings import Settings

POSITION, SHOWN = "position", "shown"
SLATE_ID = pl.format("{}@{}", USER_ID, REQUEST_ID)
"""What the slate of a request to a user is called among queries."""
QUERY = [USER_ID, "instant", "query_id"]


def logged_slates(
    settings: Settings, lake: Lake, window: Window, *, objectives: Objectives, include_unlabelled: bool = False
) -> pa.Table:
    """The requests whose first impression is inside ``window``, in order of instant and user: the columns of
    :func:`~remora.datasets.queries.queries` with objectives, ``targets`` left empty, and ``shown``, the distinct items
    in order of position.

    Events belong to slates as the settings' rule has it (:mod:`remora.feedback.attribution`), and before the window's
    end. Slates that nothing followed are left out unless ``include_unlabelled`` ones are asked for. DataError where
    events have no request_id or position.
    """
    if missing := {REQUEST_ID, POSITION} - set(lake.event_schema.names):
        raise DataError(
            f"ranking.candidates is logged, and events have no {' and no '.join(sorted(missing))}. Map the columns, or "
            f"learn from candidates: retrieved."
        )
    check_values(lake, objectives)
    value = [VALUE] if VALUE in lake.event_schema.names else []
    schema = pa.schema([*schema_with(objectives), pa.field(SHOWN, pa.list_(pa.string()), nullable=False)])
    found = map_users(
        lake,
        lambda events: _slates(events, lake.impression, settings, window, objectives).select(schema.names).to_arrow(),
        before=window.end,
        partitions=settings.features.partitions,
        columns=[*COLUMNS, *value, REQUEST_ID, POSITION],
        shown=True,
    )
    parts = [
        pl.DataFrame(pl.from_arrow(t)) for t in found.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)
    ]
    if not parts:
        return schema.empty_table()
    every = pl.concat(parts).sort("instant", "query_id")
    kept = every if include_unlabelled else every.filter(pl.col(OUTCOMES).list.len() > 0)
    return kept.to_arrow().cast(schema)


def _slates(
    events: pl.DataFrame, impression: str | None, settings: Settings, window: Window, objectives: Objectives
) -> pl.DataFrame:
    """Slates of the users of one partition."""
    was_shown = pl.col(EVENT_TYPE) == impression
    acts = events.filter(~was_shown)
    shown = (
        events.filter(was_shown, pl.col(REQUEST_ID).is_not_null())
        .sort(USER_ID, REQUEST_ID, POSITION, nulls_last=True, maintain_order=True)
        .unique([USER_ID, REQUEST_ID, ITEM_ID], keep="first", maintain_order=True)
        .with_columns(pl.col(EVENT_TIMESTAMP).min().over(USER_ID, REQUEST_ID).alias("instant"))
        .filter(pl.col("instant") >= window.start)
        .with_columns(SLATE_ID.alias("query_id"))
        .select(*QUERY, REQUEST_ID, ITEM_ID)
    )
    slates = shown.group_by(QUERY, maintain_order=True).agg(pl.col(ITEM_ID).alias(SHOWN))
    positives = acts.filter(pl.col(EVENT_TYPE).is_in(list(settings.data.positive_types)))
    labels = [LABEL + name for name in objectives]
    exposures = shown.rename({"instant": EXPOSED_AT})
    answers = (
        attribute(exposures, acts, rule_of(settings))
        .filter(pl.col(ORPHAN).is_null())
        .group_by("query_id", ITEM_ID)
        .agg(label_of(objective).alias(LABEL + name) for name, objective in objectives.items())
        .filter(pl.any_horizontal(pl.col(labels) > 0))
        .sort("query_id", ITEM_ID)
        .group_by("query_id", maintain_order=True)
        .agg(pl.col(ITEM_ID).alias(OUTCOMES), pl.col(labels))
    )
    before = history_events(positives, slates.select(USER_ID, "instant").unique())
    return (
        slates.join(answers, on="query_id", how="left")
        .join(before, on=[USER_ID, "instant"], how="left")
        .with_columns(
            pl.col("history_events").fill_null(0),
            pl.col(OUTCOMES, *labels).fill_null([]),
            pl.lit([], pl.List(pl.String)).alias("targets"),
            pl.lit([], pl.List(pl.Float64)).alias("weights"),
        )
    )
