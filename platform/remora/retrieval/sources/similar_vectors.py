"""Items whose vectors lie nearest to that of the item one is looking at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import EMPTY
from remora.retrieval.sources.unseen import drop_seen, overfetch
from remora.settings.retrieval import TWO_TOWER

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.index import ItemIndex


@dataclass(frozen=True, kw_only=True)
class SimilarVectors:
    """The item tower's answer; it has one for an item without events."""

    class Config(ComponentConfig):
        """The settings of the source."""

        limit: int = Field(300, ge=1, le=100_000, description="candidates at the most")

    index: ItemIndex
    limit: int
    skip_seen: bool = True

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> SimilarVectors:
        """Over the index of the trained towers."""
        from remora.retrieval.two_tower import Towers

        index = context.model(TWO_TOWER, Towers).index
        return cls(index=index, limit=config.limit, skip_seen=context.rules.hide_seen)

    def find(self, query: Query) -> Retrieved:
        """Cosine with the seed, best first; nothing without a seed."""
        if query.seed_item is None:
            return EMPTY
        seed = self.index.vector(query.seed_item).copy()
        seed[-1] = 0.0  # likeness alone: how popular an item is does not make it more alike
        found = self.index.search(seed, self.limit + overfetch(query, skip_seen=self.skip_seen))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)
