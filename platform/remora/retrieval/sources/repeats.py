"""What the user wanted before: candidates where a surface shows items again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import Query, Retrieved, StageContext
from remora.retrieval.sources.unseen import drop_seen


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """The distinct items of the history, those that were wanted often and lately first.

    A positive event counts ``decay`` times the one after it. The ranker reads the score as `candidate__repeats_score`,
    which is missing for an item that is new to the user.
    """

    class Config(ComponentConfig):
        """The settings of the source."""

        decay: float = Field(0.93, gt=0, le=1, description="what a positive event counts of the one after it")

    takes_live_rows = True

    decay: float = 0.93

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> Repeats:
        """Of the history that a query brings."""
        return cls(decay=config.decay)

    def find(self, query: Query) -> Retrieved:
        """Summed weights of each item's events, best first, ties by row; nothing for a user without a history."""
        weights = self.decay ** np.arange(len(query.history))[::-1]
        rows, at = np.unique(query.history, return_inverse=True)
        scores = np.bincount(at, weights, minlength=len(rows)).astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        return drop_seen(query, Retrieved(rows[order].astype(np.int32), scores[order]), None, skip_seen=False)
