"""A filter over a column of the items."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Mask, Query, StageContext


@dataclass(frozen=True)
class PriceLimit:
    """Hides what costs more than a limit; an item without a price is shown. ``affordable`` is of shape (n items,)."""

    class Config(ComponentConfig):
        """The settings of the filter."""

        column: str = Field("item_profile__price", min_length=1, max_length=200, description="of the item features")
        most: float = Field(50.0, gt=0, description="price of the dearest item that may be shown")

    affordable: Mask

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> PriceLimit:
        """Over the items as they are. MissingInput where they have no such column."""
        return cls(~(context.snapshot.column(config.column) > config.most))

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """False for what is too dear, shape (n,)."""
        return self.affordable[candidates.rows]
