"""Items that are new, those first that lie nearest to the user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from remora.core.vocabulary import ItemCodes
from remora.extensions import ComponentConfig
from remora.pipeline import Query, Retrieved, StageContext
from remora.pipeline.candidates import Floats
from remora.retrieval.sources.unseen import drop_seen, overfetch
from remora.settings.bounds import MOST_DAYS
from remora.settings.retrieval import TWO_TOWER

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.two_tower import Towers


@dataclass(frozen=True, kw_only=True)
class Newest:
    """A quota for items without events or that came lately: among all, those that many want stand before them.

    ``new`` (items,) says which they are, ``age_days`` (items,) how old, NaN where that is not known. A user of whom
    nothing is known gets the youngest first; then a score is the age, less than nothing.
    """

    class Config(ComponentConfig):
        """The settings of the source."""

        limit: int = Field(30, ge=1, le=100_000, description="candidates at the most")
        days: float = Field(
            30.0, gt=0, le=MOST_DAYS, description="since an item's first event, or its entry in the catalogue"
        )

    towers: Towers
    new: npt.NDArray[np.bool_]
    age_days: Floats
    limit: int
    skip_seen: bool = True

    @property
    def takes_live_rows(self) -> bool:
        """Where the towers have vectors of live items."""
        return self.towers.takes_live_rows

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> Newest:
        """Over the items as they are, in the order of the trained towers."""
        from remora.retrieval.two_tower import Towers

        towers = context.model(TWO_TOWER, Towers)
        return cls(
            towers=towers,
            new=context.snapshot.new(config.days),
            age_days=context.snapshot.age_days,
            limit=config.limit,
            skip_seen=context.rules.hide_seen,
        )

    def find(self, query: Query) -> Retrieved:
        """Cosine of user and item by its content, best first."""
        enough = self.limit + overfetch(query, skip_seen=self.skip_seen)
        if query.user_found or len(query.history):
            found = self.towers.search(self.towers.encoder.encode(query), enough, allowed=self.new)
        else:
            # A user of whom nothing is known has no vector to search with.
            rows = self.youngest[:enough]
            found = Retrieved(rows, -self.age_days[rows].astype(np.float32))
        return drop_seen(query, found, self.limit, skip_seen=self.skip_seen)

    @cached_property
    def youngest(self) -> ItemCodes:
        """Rows (n,) of new items of known age, the youngest first; ties by row."""
        rows = np.flatnonzero(self.new & ~np.isnan(self.age_days))
        return rows[np.argsort(self.age_days[rows], kind="stable")].astype(np.int32)
