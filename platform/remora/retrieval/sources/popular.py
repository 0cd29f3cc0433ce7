"""What most people wanted: the end of the fallback chain, and a baseline."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import StageContext
from remora.retrieval.sources.static_ranking import StaticRanking


@dataclass(frozen=True, kw_only=True)
class Popular(StaticRanking):
    """By the popularity of the item snapshot."""

    class Config(ComponentConfig):
        """The settings of the source."""

        limit: int | None = Field(
            None, ge=1, le=100_000, description="candidates at the most, where it is a source; null: all"
        )

    limit: int | None = None

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> Popular:
        """Over the items as they are."""
        items = context.snapshot
        return cls(
            scores=items.popularity, ranked=items.most_popular, limit=config.limit, skip_seen=context.rules.hide_seen
        )
