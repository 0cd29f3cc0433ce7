"""What is wanted more than it used to be."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import StageContext
from remora.retrieval.sources.static_ranking import StaticRanking


@dataclass(frozen=True, kw_only=True)
class Trending(StaticRanking):
    """By the trend of the item snapshot."""

    class Config(ComponentConfig):
        """The settings of the source."""

        limit: int = Field(100, ge=1, le=100_000, description="candidates at the most")

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> Trending:
        """Over the items as they are."""
        items = context.snapshot
        return cls(
            scores=items.trend, ranked=items.most_trending, limit=config.limit, skip_seen=context.rules.hide_seen
        )
