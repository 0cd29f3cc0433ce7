"""Items whose vectors lie nearest to the user's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from remora.pipeline import Query, Retrieved
from remora.pipeline.candidates import EMPTY
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.sources.unseen import drop_seen, overfetch


@dataclass(frozen=True, kw_only=True)
class NearestItems:
    """The two towers' answer; a user of whom nothing is known has no vector."""

    encoder: UserEncoder
    index: ItemIndex
    limit: int
    skip_seen: bool = True

    def find(self, query: Query) -> Retrieved:
        """Cosine of user and item, best first."""
        if not (query.user_found or len(query.history)):
            return EMPTY
        vector = self.encoder.encode(query)
        found = self.index.search(vector, self.limit + overfetch(query, skip_seen=self.skip_seen))
        # So that the ranker reads this source's score of what only others found, too.
        found = found._replace(score_others=partial(self.encoder.scores, vector))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)
