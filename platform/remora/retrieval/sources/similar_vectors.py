"""Items whose vectors lie nearest to that of the item one is looking at."""

from __future__ import annotations

from dataclasses import dataclass

from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import EMPTY
from remora.retrieval.models.vector_model import VectorModel
from remora.retrieval.sources.model_config import ReadsModel, VectorConfig
from remora.retrieval.sources.unseen import drop_seen, overfetch


@dataclass(frozen=True, kw_only=True)
class SimilarVectors(ReadsModel):
    """The answer of the item tower, which has one for an item without events, or of another model that has vectors."""

    class Config(VectorConfig):
        """The settings of the source."""

    reads = VectorModel

    model: VectorModel
    limit: int
    skip_seen: bool = True

    @property
    def takes_live_rows(self) -> bool:
        """Where the model does."""
        return self.model.takes_live_rows

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> SimilarVectors:
        """Over the model's vectors."""
        model = context.model(config.model, VectorModel)  # type: ignore[type-abstract]
        return cls(model=model, limit=config.limit, skip_seen=context.rules.hide_seen)

    def find(self, query: Query) -> Retrieved:
        """Inner product with the seed's vector (of the towers: the cosine), best first; nothing without a seed, or for
        one that the model does not know."""
        vector = None if query.seed_item is None else self.model.of_item(query.seed_item)
        if vector is None:
            return EMPTY
        found = self.model.search(vector, self.limit + overfetch(query, skip_seen=self.skip_seen))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)
