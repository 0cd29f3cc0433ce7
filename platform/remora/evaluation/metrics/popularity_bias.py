"""Popularity bias."""

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
class PopularityBias(Metric[Mean]):
    """Mean popularity percentile of the first k items less that of the relevant ones, in [-1, 1]; rows on both sides.

    Above 0: the slate is more popular than what the user turned out to want; 0 is calibrated. After Abdollahpouri et
    al., "The unfairness of popularity bias in recommendation", RMSE workshop at RecSys 2019, with the percentile in
    place of the count, so that one blockbuster does not decide. ``percentile`` (n items,) by
    :class:`~remora.evaluation.item_statistics.ItemStatistics`. Relevant items outside the catalogue (negative rows) are
    left out.

    >>> PopularityBias(k=2, percentile=np.array([0.125, 0.5, 0.875])).measure(shown=[2, 1], relevant={0})
    Mean(total=0.5625, count=1)
    """

    name: ClassVar[str] = "popularity_bias"
    title: ClassVar[str] = "pop. bias"
    percentile: npt.NDArray[np.float64]

    @classmethod
    def at(cls, k: int, items: ItemStatistics, config: ComponentConfig) -> Self:
        """See :class:`Metric`."""
        return cls(k=k, percentile=items.percentile)

    def of(self, judgement: Judgement) -> Mean:
        """See the class; an empty slate, or one that nothing is held against, is not counted."""
        first = judgement.shown[: self.k]
        relevant = judgement.relevant[judgement.relevant >= 0]
        if not len(first) or not len(relevant):
            return Mean()
        return Mean(float(self.percentile[first].mean() - self.percentile[relevant].mean()), 1)
