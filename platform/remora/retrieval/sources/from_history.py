"""Items that go with what the user wanted lately, by the lists of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from remora.pipeline import Query, Retrieved, StageContext
from remora.retrieval.models.item_lists import STEP_DECAY, ItemLists
from remora.retrieval.sources.model_config import ModelConfig, ReadsModel
from remora.retrieval.sources.unseen import drop_seen

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.neighbours import Neighbours


@dataclass(frozen=True, kw_only=True)
class FromHistory(ReadsModel):
    """Neighbours of the last ``seeds`` positive items, each seed counting ``decay`` times the one after it."""

    class Config(ModelConfig):
        """The settings of the source."""

        seeds: int = Field(30, ge=1, le=10_000, description="most recent positive items that it starts from")

    reads = ItemLists

    neighbours: Neighbours
    limit: int
    seeds: int = 30
    decay: float = STEP_DECAY
    skip_seen: bool = True

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> FromHistory:
        """Over the lists of the model, weighed as the model says."""
        lists = context.model(config.model, ItemLists)
        return cls(
            neighbours=lists.neighbours,
            limit=config.limit,
            seeds=config.seeds,
            decay=lists.step_decay,
            skip_seen=context.rules.hide_seen,
        )

    def find(self, query: Query) -> Retrieved:
        """Summed scores, best first; nothing for a user without history."""
        seeds = query.history[-self.seeds :]
        # The newest seed stands last and counts in full.
        weights = (self.decay ** np.arange(len(seeds))[::-1]).astype(np.float32)
        return drop_seen(query, self.neighbours.of_many(seeds, weights), self.limit, skip_seen=self.skip_seen)
