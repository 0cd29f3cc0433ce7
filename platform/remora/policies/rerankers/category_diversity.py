"""Keep items of one category apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, Query, StageContext
from remora.pipeline.rows import unique
from remora.settings.bounds import MOST_ITEMS

Categories = npt.NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class CategoryDiversity:
    """Greedy maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) over a sliding window of the slate.

    Each place goes to the candidate with the highest ``score - strength * spread * overlap``. ``overlap`` is the sum,
    over the ``window - 1`` items shown before that place, of the Jaccard similarity of their categories and the
    candidate's; ``spread`` is the standard deviation of the scores. So ``strength`` says how many standard deviations
    of score one repetition of the same categories costs, whatever the unit of the scorer. Equal values go to the
    better score, then to the earlier candidate.

    Only the first ``query.n`` places are rearranged. Unscored candidates stay behind, in the order they have.
    ``categories`` has shape (n_items, m), padded with -1.
    """

    class Config(ComponentConfig):
        """The settings of the reranker."""

        window: int = Field(4, ge=1, le=MOST_ITEMS, description="places that are looked at together; 1 turns it off")
        strength: float = Field(
            0.05,
            ge=0,
            le=1e6,
            description="what one repetition of an item's categories within the window costs it, in standard "
            "deviations of the slate's scores; 0 turns it off",
        )

    takes_live_rows = True

    categories: Categories
    window: int
    strength: float

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> CategoryDiversity:
        """Over the categories of the items."""
        return cls(categories=context.snapshot.categories, window=config.window, strength=config.strength)

    def rerank(self, query: Query, candidates: Candidates) -> npt.NDArray[np.intp]:
        """Positions into ``candidates``, shape (n,)."""
        scored = int(np.count_nonzero(~np.isnan(candidates.scores)))
        if self.window <= 1 or self.strength == 0 or scored < 2:
            return np.arange(len(candidates))
        scores = candidates.scores[:scored].astype(np.float64)
        chosen = self._choose(scores, self.categories[candidates.rows[:scored]], min(query.n, scored))
        left = np.ones(len(candidates), bool)
        left[chosen] = False
        return np.concatenate([chosen, np.flatnonzero(left)])

    def _choose(self, scores: npt.NDArray[np.float64], categories: Categories, n: int) -> npt.NDArray[np.intp]:
        cost = self.strength * scores.std()
        members = _membership(categories)
        sizes = members.sum(axis=1)
        chosen = np.empty(n, np.intp)
        costs = np.zeros((n, len(scores)))
        open_scores = scores.copy()
        for place in range(n):
            value = open_scores - costs[max(0, place - self.window + 1) : place].sum(axis=0)
            best = int(np.argmax(value))
            # The similarity to the item just chosen, once for all places of its window.
            shared = members @ members[best]
            costs[place] = cost * shared / np.maximum(sizes + sizes[best] - shared, 1.0)
            chosen[place] = best
            open_scores[best] = -np.inf
        return chosen


def _membership(categories: Categories) -> npt.NDArray[np.float64]:
    """Who is in which of the categories that occur here: (n, m) numbers padded with -1 to (n, c) zeros and ones."""
    present = unique(categories.ravel())
    members = np.zeros((len(categories), len(present)))
    members[np.arange(len(categories))[:, None], np.searchsorted(present, categories)] = 1.0
    return members[:, present >= 0]
