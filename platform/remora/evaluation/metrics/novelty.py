"""Novelty."""

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
class Novelty(Metric[Mean]):
    """Mean self-information of the first k items in bits: how surprising they would be if people chose by popularity.

    -log2 p(item), ``information`` (n items,) by
    :class:`~remora.evaluation.item_statistics.ItemStatistics`; ``shown`` are rows.
    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS 2010.

    >>> Novelty(k=2, information=np.array([1.0, 2.0, 3.0])).measure(shown=[0, 2, 1])
    Mean(total=2.0, count=1)
    """

    name: ClassVar[str] = "novelty"
    title: ClassVar[str] = "novelty"
    information: npt.NDArray[np.float64]

    @classmethod
    def at(cls, k: int, items: ItemStatistics, config: ComponentConfig) -> Self:
        """See :class:`Metric`."""
        return cls(k=k, information=items.information)

    def of(self, judgement: Judgement) -> Mean:
        """See the class; an empty slate is not counted."""
        first = judgement.shown[: self.k]
        return Mean(float(self.information[first].mean()), 1) if len(first) else Mean()
