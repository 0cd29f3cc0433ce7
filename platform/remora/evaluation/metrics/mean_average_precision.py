"""Mean average precision."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import RelevanceMetric


class MeanAveragePrecision(RelevanceMetric):
    """Σ over relevant items among the first k of the precision at their position, / |relevant|.

    Buckley and Voorhees, "Retrieval system evaluation", 2005; trec_eval's map_cut.k: the divisor is the number of all
    relevant items, also where k is smaller. With ties: pairs of one group are relevant together with probability
    r (r - 1) / (g (g - 1)), pairs of different groups independently.

    >>> MeanAveragePrecision(k=3).measure(shown=[1, 2, 3], relevant={1, 3})
    Mean(total=0.8333333333333333, count=1)
    """

    name: ClassVar[str] = "map"
    title: ClassVar[str] = "MAP"

    def value(self, judgement: Judgement) -> float:
        """See the class."""
        n, sizes, hits = len(judgement.shown), judgement.sizes, judgement.hits
        before = np.repeat(np.cumsum(hits) - hits, sizes)  # relevant items in the groups above
        offset = np.arange(n) - np.repeat(judgement.starts, sizes)  # within the group, from 0
        pair = np.repeat(hits * (hits - 1) / np.maximum(sizes * (sizes - 1), 1), sizes)
        single = judgement.expected_hits
        precise = (single * (before + 1) + offset * pair) / np.arange(1, n + 1)
        return precise[: self.k].sum() / len(judgement.relevant)
