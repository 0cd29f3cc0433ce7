"""A hydrator that reads the request's context."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydantic import Field

from remora.core.vocabulary import Vocabulary
from remora.extensions import ComponentConfig
from remora.pipeline import Query, StageContext


@dataclass(frozen=True)
class CartItems:
    """What is in the cart counts as wanted just now, and is not shown again. Ids that are not known are ignored."""

    class Config(ComponentConfig):
        """The settings of the hydrator."""

        key: str = Field("cart", min_length=1, max_length=64, description="of the context: item ids, comma-separated")

    vocabulary: Vocabulary
    key: str

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> CartItems:
        """Over the items of the bundle."""
        return cls(context.vocabulary, config.key)

    def hydrate(self, query: Query) -> Query:
        """The query with the cart at the end of its history."""
        cart = self.vocabulary.rows(str(query.context.get(self.key, "")).split(","))
        if not len(cart):
            return query
        return replace(query, history=np.concatenate([query.history, cart]), seen=np.union1d(query.seen, cart))
