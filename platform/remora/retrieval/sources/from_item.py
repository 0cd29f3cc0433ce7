"""Items that go with the item one is looking at, by the lists of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import EMPTY
from remora.retrieval.models.item_lists import ItemLists
from remora.retrieval.sources.model_config import ModelConfig, ReadsModel
from remora.retrieval.sources.unseen import drop_seen

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.neighbours import Neighbours


@dataclass(frozen=True, kw_only=True)
class FromItem(ReadsModel):
    """Neighbours of the query's item."""

    class Config(ModelConfig):
        """The settings of the source."""

    reads = ItemLists

    neighbours: Neighbours
    limit: int
    skip_seen: bool = True

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> FromItem:
        """Over the lists of the model."""
        neighbours = context.model(config.model, ItemLists).neighbours
        return cls(neighbours=neighbours, limit=config.limit, skip_seen=context.rules.hide_seen)

    def find(self, query: Query) -> Retrieved:
        """What goes with the seed, best first; nothing without a seed."""
        if query.seed_item is None:
            return EMPTY
        return drop_seen(query, self.neighbours.of(query.seed_item), self.limit, skip_seen=self.skip_seen)
