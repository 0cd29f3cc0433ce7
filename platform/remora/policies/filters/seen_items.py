"""Hide what the user has had to do with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Mask, Query, StageContext
from remora.pipeline.rows import isin


@dataclass(frozen=True, kw_only=True)
class SeenItems:
    """Is the item new to this user? ``hide=False`` is for places where seeing an item again is welcome."""

    hide: bool = True

    @classmethod
    def from_config(cls, config: ComponentConfig, context: StageContext) -> SeenItems:
        """By the surface's ``hide_seen``."""
        return cls(hide=context.rules.hide_seen)

    def allowed(self, query: Query, candidates: Candidates) -> Mask:
        """False for rows among ``query.seen``, shape (n,)."""
        if not self.hide:
            return np.ones(len(candidates), bool)
        return ~isin(candidates.rows, query.seen)
