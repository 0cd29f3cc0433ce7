"""A source that reads the package's retrieval model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from example_plugin.weekday_popularity import WeekdayPopularity
from remora.extensions import ComponentConfig
from remora.pipeline import Query, Retrieved, StageContext
from remora.retrieval.sources.static_ranking import StaticRanking


@dataclass(frozen=True)
class PopularOnWeekday:
    """What users want on the day of the week on which the request comes (UTC); ``days`` has seven rankings."""

    class Config(ComponentConfig):
        """The settings of the source."""

        model: str = Field("weekday_popularity", max_length=64, description="of retrieval.models")
        limit: int = Field(50, ge=1, le=100_000, description="candidates at the most")

    days: tuple[StaticRanking, ...]

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> PopularOnWeekday:
        """Over the model's shares; what no user wanted is not found."""
        shares = context.model(config.model, WeekdayPopularity).shares
        wanted = np.where(shares > 0, shares, np.nan)
        skip_seen = context.rules.hide_seen
        return cls(tuple(StaticRanking(scores=day, limit=config.limit, skip_seen=skip_seen) for day in wanted))

    def find(self, query: Query) -> Retrieved:
        """The day's best that this user has not seen."""
        return self.days[query.instant.weekday()].find(query)
