"""Intra-list diversity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from remora.evaluation.aggregates import Mean
from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import Metric

if TYPE_CHECKING:
    from typing import Self

    from remora.evaluation.item_statistics import ItemStatistics
    from remora.extensions import ComponentConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class IntraListDiversity(Metric[Mean]):
    """1 - mean Jaccard similarity of the category sets over all pairs of the first k items; ``shown`` are rows.

    Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005. ``categories`` has shape
    (n items, m), padded with -1. Items without a category have nothing in common with any. Slates with fewer than
    two items are not counted, nor is a catalogue without categories.

    >>> sets = np.array([[0, 1], [0, -1], [2, -1]])
    >>> IntraListDiversity(k=3, categories=sets).measure(shown=[0, 1, 2]).value.__round__(4)
    0.8333
    """

    name: ClassVar[str] = "intra_list_diversity"
    title: ClassVar[str] = "diversity"
    categories: npt.NDArray[np.int32]

    @classmethod
    def at(cls, k: int, items: ItemStatistics, config: ComponentConfig) -> Self:
        """See :class:`Metric`."""
        return cls(k=k, categories=items.categories)

    def of(self, judgement: Judgement) -> Mean:
        """See the class."""
        sets = self.categories[judgement.shown[: self.k]]
        if len(sets) < 2 or not self.categories.shape[1]:
            return Mean()
        known, column = np.unique(sets, return_inverse=True)
        member = np.zeros((len(sets), len(known)))
        member[np.arange(len(sets))[:, None], column.reshape(sets.shape)] = 1.0
        # The padding is not a category that two items share.
        member = member[:, known >= 0]
        shared = member @ member.T
        size = member.sum(axis=1)
        either = size[:, None] + size - shared
        similarity = shared / np.maximum(either, 1.0)
        pairs = len(sets) * (len(sets) - 1)
        return Mean(float(1.0 - (similarity.sum() - np.trace(similarity)) / pairs), 1)
