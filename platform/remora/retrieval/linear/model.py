"""What the closed-form members have in common: a user's scores are linear in what the user had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

if TYPE_CHECKING:
    from remora.retrieval.interaction_histories import Histories

Scores = npt.NDArray[np.float32]


class LinearModel(Protocol):
    """A component of the kind ``linear model``: fitted in closed form, the same result every time."""

    @classmethod
    def learn(cls, histories: Histories, config: Any) -> LinearModel:
        """From what users had, in order, of the most popular items; ``config`` is the model's own."""
        ...

    @classmethod
    def step_decay(cls, config: Any) -> float:
        """What each earlier item of a user weighs of the one after it; 1 for a model that reads no order."""
        ...

    def scores(self, history: sp.csr_array) -> Scores:
        """Scores (n, items) of n users, given their items as rows (n, items)."""
        ...


def neighbours(
    model: LinearModel, items: int, k: int, step: int = 1024
) -> Iterator[tuple[npt.NDArray[np.int64], Scores]]:
    """For blocks of items their ``k`` best others: rows (n, k) and scores (n, k), best first.

    What a user who had only that item is shown, which is the item-item list of the model.
    """
    for begin in range(0, items, step):
        own = np.arange(begin, min(begin + step, items))
        ones = sp.csr_array((np.ones(len(own), np.float32), (np.arange(len(own)), own)), shape=(len(own), items))
        scores = model.scores(ones)
        scores[np.arange(len(own)), own] = -np.inf
        best = np.argpartition(-scores, min(k, items - 1) - 1, axis=1)[:, :k]
        found = np.take_along_axis(scores, best, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        yield np.take_along_axis(best, order, axis=1), np.take_along_axis(found, order, axis=1)
