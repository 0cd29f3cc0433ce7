"""Transforms as a package beside Remora brings them, each with a view of its own."""

from __future__ import annotations

import polars as pl
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.features.transforms import Transform, TransformContext


class Hours(Transform):
    """At what time of day a user acts: a number, a truth, a text and a list."""

    class Config(ComponentConfig):
        late_from: int = Field(18, ge=0, le=23, description="hour of the day from which an event is late")

    entity = "user"

    @classmethod
    def transform(cls, config: Config, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        late = pl.col("event_timestamp").dt.hour() >= config.late_from
        at, ever = pl.col("event_timestamp"), pl.col("user_id")
        return (
            events.sort(at, "source_row")
            .group_by("user_id", at.dt.truncate("1d").alias("day"))
            .agg(
                late=late.sum(),
                events=pl.len(),
                last_type=pl.col("event_type").last(),
                last_hours=at.dt.hour().tail(3),
            )
            .sort("user_id", "day")
            .select(
                "user_id",
                event_timestamp=pl.col("day") + pl.duration(days=1),
                late_share=pl.col("late").cum_sum().over(ever) / pl.col("events").cum_sum().over(ever),
                ever_late=pl.col("late").cum_sum().over(ever) > 0,
                last_type="last_type",
                last_hours="last_hours",
            )
        )


class Buyers(Transform):
    """How many users have bought an item."""

    entity = "item"

    @classmethod
    def transform(cls, config: ComponentConfig, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        day = pl.col("event_timestamp").dt.truncate("1d").alias("day")
        bought = events.filter(pl.col("event_type") == "buy")
        first = bought.group_by("item_id", "user_id").agg(day.min())
        return (
            first.group_by("item_id", "day")
            .len("new")
            .sort("item_id", "day")
            .select(
                "item_id",
                event_timestamp=pl.col("day") + pl.duration(days=1),
                number=pl.col("new").cum_sum().over("item_id").cast(pl.Int64),
            )
        )


class Twice(Buyers):
    """A table that cannot be a view: two rows of one item and time."""

    @classmethod
    def transform(cls, config: ComponentConfig, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        made = super().transform(config, events, context)
        return pl.concat([made, made])


class Changing(Buyers):
    """A table whose columns depend on the events."""

    @classmethod
    def transform(cls, config: ComponentConfig, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        made = super().transform(config, events, context)
        return made.with_columns(pl.lit(1.0).alias(str(events["item_id"].min())))


class Sessions(Buyers):
    """One that reads a column of the events beside those that all transforms get."""

    reads = ("session_id",)
