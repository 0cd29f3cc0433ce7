"""A transform, and with it a feature view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.features.transforms import Transform

if TYPE_CHECKING:
    from remora.features.transforms import TransformContext


class UserWeekend(Transform):
    """How much of what a user does happens at the weekend."""

    class Config(ComponentConfig):
        """The settings of the transform."""

        first_day: int = Field(6, ge=1, le=7, description="of the weekend, which ends on Sunday; 1 is Monday")

    entity = "user"

    @classmethod
    def transform(cls, config: Config, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        """``events`` and ``share`` of the weekend, from the midnight after each day of the user."""
        at, user = pl.col("event_timestamp"), pl.col("user_id")
        weekend = at.dt.weekday() >= config.first_day
        daily = events.group_by("user_id", day=at.dt.truncate("1d")).agg(weekend=weekend.sum(), events=pl.len())
        so_far = {name: pl.col(name).cum_sum().over(user).cast(pl.Int64) for name in ("weekend", "events")}
        return daily.sort("user_id", "day").select(
            "user_id",
            event_timestamp=pl.col("day") + pl.duration(days=1),
            events=so_far["weekend"],
            share=so_far["weekend"] / so_far["events"],
        )
