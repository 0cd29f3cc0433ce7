"""What a user wanted, in order, and what the user has seen: exactly, at any instant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from remora.features.transforms.transform import Transform, TransformContext
from remora.features.transforms.windows import US_PER_DAY


def histories(
    events: pl.DataFrame,
    entity_rows: pl.DataFrame,
    *,
    positive_types: Sequence[str],
    length: int,
    seen_limit: int,
    item: str,
) -> pl.DataFrame:
    """``entity_rows`` (``user_id``, ``instant``) with two list columns, made from events strictly before the instant.

    ``history``: the last ``length`` events whose type is in ``positive_types``, most recent last, repeats kept.
    ``seen``: the last ``seen_limit`` different items of any event, most recent last. ``item`` names the column to list.
    Events of the same instant are in the order of ``source_row``, else ``event_id``. Rows and order of ``entity_rows``
    are kept.
    """
    tie = [name for name in ("source_row", "event_id") if name in events.columns]
    events = events.sort("user_id", "event_timestamp", *tie).with_columns(
        positive=pl.col("event_type").is_in(list(positive_types))
    )
    of_user = events.group_by("user_id").agg(
        pl.col(item).alias("all"), pl.col(item).filter(pl.col("positive")).alias("wants")
    )
    reached = events.select(
        "user_id",
        pl.col("event_timestamp").alias("instant"),
        events_before=pl.int_range(1, pl.len() + 1).over("user_id"),
        wants_before=pl.col("positive").cum_sum().over("user_id").cast(pl.Int64),
    ).sort("instant", maintain_order=True)
    found = (
        entity_rows.select("user_id", "instant")
        .with_row_index("entity_row")
        .sort("instant")
        .join_asof(reached, on="instant", by="user_id", allow_exact_matches=False, check_sortedness=False)
        .with_columns(pl.col("events_before", "wants_before").fill_null(0))
        .join(of_user, on="user_id", how="left")
        .sort("entity_row")
    )
    start = (pl.col("wants_before") - length).clip(lower_bound=0)
    # Reversed first: `unique` keeps the first of equals, and the latest encounter is the one that counts.
    latest_first = pl.col("all").list.head(pl.col("events_before")).list.reverse().list.unique(maintain_order=True)
    empty = pl.lit([], pl.List(events.schema[item]))
    return found.select(
        "user_id",
        "instant",
        history=pl.col("wants").list.slice(start, pl.col("wants_before") - start).fill_null(empty),
        seen=latest_first.list.head(seen_limit).list.reverse().fill_null(empty),
    )


def user_history(
    events: pl.DataFrame, *, positive_types: Sequence[str], length: int, seen_limit: int, until: int
) -> pl.DataFrame:
    """One row per user: ``history`` and ``seen`` (lists of item ids) at the midnight after the user's last event.

    ``until`` is in days since 1970, and events from then on are not read.
    """
    until_us = until * US_PER_DAY
    events = events.filter(pl.col("event_timestamp").dt.epoch("us") < until_us)
    last = events.group_by("user_id").agg(pl.col("event_timestamp").max().alias("instant")).sort("user_id")
    after = (pl.col("instant").dt.epoch("us").floordiv(US_PER_DAY) + 1) * US_PER_DAY
    entity_rows = last.with_columns(after.cast(pl.Datetime("us", "UTC")).alias("instant"))
    found = histories(
        events, entity_rows, positive_types=positive_types, length=length, seen_limit=seen_limit, item="item_id"
    )
    return found.rename({"instant": "event_timestamp"})


class UserHistory(Transform):
    """What the user wanted and saw, most recent last; the latest row alone, for requests."""

    entity = "user"

    @classmethod
    def latest(
        cls, config: Any, events: pl.DataFrame, context: TransformContext, instants: pl.DataFrame
    ) -> pl.DataFrame:
        """Exactly before each instant, as a replay has it: see :func:`histories`."""
        return histories(
            events,
            instants,
            positive_types=tuple(context.weights),
            length=context.history_length,
            seen_limit=context.seen_limit,
            item="item_id",
        ).drop("instant")

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        """See :func:`user_history`."""
        return user_history(
            events,
            positive_types=tuple(context.weights),
            length=context.history_length,
            seen_limit=context.seen_limit,
            until=context.until_day,
        )
