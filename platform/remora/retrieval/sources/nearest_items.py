"""Items whose vectors lie nearest to the user's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import EMPTY
from remora.retrieval.sources.unseen import drop_seen, overfetch
from remora.settings.retrieval import TWO_TOWER

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.encoder import UserEncoder
    from remora.retrieval.index import ItemIndex


@dataclass(frozen=True, kw_only=True)
class NearestItems:
    """The two towers' answer; a user of whom nothing is known has no vector."""

    class Config(ComponentConfig):
        """The settings of the source."""

        limit: int = Field(300, ge=1, le=100_000, description="candidates at the most")

    encoder: UserEncoder
    index: ItemIndex
    limit: int
    skip_seen: bool = True

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> NearestItems:
        """Over the trained towers."""
        from remora.retrieval.two_tower import Towers

        towers = context.model(TWO_TOWER, Towers)
        return cls(encoder=towers.encoder, index=towers.index, limit=config.limit, skip_seen=context.rules.hide_seen)

    def find(self, query: Query) -> Retrieved:
        """Cosine of user and item, best first."""
        if not (query.user_found or len(query.history)):
            return EMPTY
        vector = self.encoder.encode(query)
        found = self.index.search(vector, self.limit + overfetch(query, skip_seen=self.skip_seen))
        # So that the ranker reads this source's score of what only others found, too.
        found = found._replace(score_others=partial(self.encoder.scores, vector))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)
