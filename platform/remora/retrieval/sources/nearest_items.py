"""Items whose vectors lie nearest to the user's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import EMPTY
from remora.retrieval.models.vector_model import VectorModel
from remora.retrieval.sources.model_config import ReadsModel, VectorConfig
from remora.retrieval.sources.unseen import drop_seen, overfetch


@dataclass(frozen=True, kw_only=True)
class NearestItems(ReadsModel):
    """The answer of the two towers, or of another model that has vectors; one of whom it can tell nothing has none."""

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
    def from_config(cls, config: Config, context: StageContext) -> NearestItems:
        """Over the model's vectors."""
        model = context.model(config.model, VectorModel)  # type: ignore[type-abstract]
        return cls(model=model, limit=config.limit, skip_seen=context.rules.hide_seen)

    def find(self, query: Query) -> Retrieved:
        """Inner product of user and item (of the towers: the cosine), best first."""
        vector = self.model.of_user(query)
        if vector is None:
            return EMPTY
        found = self.model.search(vector, self.limit + overfetch(query, skip_seen=self.skip_seen))
        # So that the ranker reads this source's score of what only others found, too.
        found = found._replace(score_others=partial(self.model.scores, vector))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)
