"""Choosing how much each source counts in the merge: by what it adds on validation, and nothing where it adds none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from remora.evaluation.source_ranks import Numbers, SourceRanks
from remora.pipeline.candidates import Weights

GRID = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.0)
"""Weights that are tried, beside a source of weight 1."""

FIELDS = ("ndcg", "recall")

FEWEST_USERS = 30
"""Of fewer, no weights of their own are chosen."""


class MergeQuality(BaseModel):
    """The means of one merge over the queries of validation."""

    model_config = ConfigDict(frozen=True)

    ndcg: float
    recall: float


class ChosenWeights(BaseModel):
    """What was chosen of a surface's sources for some of the users, and how good it is beside other merges.

    ``alone`` are the sources each by itself, ``alike`` the merge where all count 1. NDCG@``cutoffs[0]`` and
    recall@``cutoffs[1]``, over ``queries`` of ``users``. Without ``weights`` there were too few users to choose by.
    """

    model_config = ConfigDict(frozen=True)

    queries: int
    users: int
    cutoffs: tuple[int, int]
    weights: dict[str, float] = {}
    merged: MergeQuality | None = None
    alike: MergeQuality | None = None
    alone: dict[str, MergeQuality] = {}


def choose(found: SourceRanks, cutoffs: tuple[int, int]) -> ChosenWeights:
    """Begin with the source that is best alone, or with all alike where that is better; then set any one weight to any
    of :data:`GRID`, as long as that helps.

    What helps is a larger mean over users of NDCG and recall, each in shares of what the best source reaches, by more
    than one standard error of the difference (L. Breiman et al., Classification and Regression Trees, 1984, section
    3.4.3): so no weight is changed for what cannot be told from chance.
    """
    users, number = np.unique(found.users, return_inverse=True)
    some = {"queries": len(found), "users": len(users), "cutoffs": cutoffs}
    if len(users) < FEWEST_USERS:
        return ChosenWeights.model_validate(some)
    judge = _Judge(found, cutoffs, number)
    ones = np.ones(len(found.sources))
    only = {source: (np.array(found.sources) == source).astype(np.float64) for source in found.sources}
    alone = {source: _Judge(found.alone(source), cutoffs, number).measured(only[source]) for source in found.sources}
    scale = [max(max(getattr(one, name) for one in alone.values()), 1e-12) for name in FIELDS]
    tried: dict[tuple[float, ...], Numbers] = {}

    def value(weights: Weights) -> Numbers:
        """Of each user."""
        key = tuple((weights / weights.max()).tolist())  # an order depends on proportions alone
        if key not in tried:
            tried[key] = judge.by_user(weights, scale)
        return tried[key]

    best_alone = max(
        alone, key=lambda source: sum(getattr(alone[source], n) / s for n, s in zip(FIELDS, scale, strict=True))
    )
    chosen = max((ones, only[best_alone]), key=lambda weights: float(value(weights).mean()))
    while True:
        gains = [(other, value(other) - value(chosen)) for other in _neighbours(chosen) if other.max() > 0]
        helping = [one for one in gains if one[1].mean() > one[1].std(ddof=1) / np.sqrt(len(users))]
        if not helping:
            break
        chosen, _ = max(helping, key=lambda one: float(one[1].mean()))
    chosen = chosen / chosen.max()
    return ChosenWeights(
        **some,
        weights=dict(zip(found.sources, np.round(chosen, 4).tolist(), strict=True)),
        merged=judge.measured(chosen),
        alike=judge.measured(ones),
        alone=alone,
    )


def _neighbours(weights: Weights) -> list[Weights]:
    """The same with one of them changed."""
    changed = []
    for index in range(len(weights)):
        for weight in GRID:
            if weight != weights[index]:
                other = weights.copy()
                other[index] = weight
                changed.append(other)
    return changed


class _Judge:
    """Measures merges of the same queries; ``number`` (Q,) says whose each query is."""

    def __init__(self, found: SourceRanks, cutoffs: tuple[int, int], number: npt.NDArray[np.intp]) -> None:
        self.found, self.cutoffs, self.number = found, cutoffs, number
        self.asked = np.bincount(number)

    def measured(self, weights: Weights) -> MergeQuality:
        ndcg, recall = self._both(weights)
        return MergeQuality(ndcg=float(ndcg.mean()), recall=float(recall.mean()))

    def by_user(self, weights: Weights, scale: list[float]) -> Numbers:
        """The mean over the queries of each user of both, in units of ``scale``."""
        ndcg, recall = self._both(weights)
        return np.bincount(self.number, weights=ndcg / scale[0] + recall / scale[1]) / self.asked

    def _both(self, weights: Weights) -> tuple[Numbers, Numbers]:
        return self.found.quality(weights, self.cutoffs)
