"""Hit rate."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import RelevanceMetric


class HitRate(RelevanceMetric):
    """1 when any relevant item is among the first k, else 0.

    Deshpande and Karypis, "Item-based top-N recommendation algorithms", TOIS 2004; trec_eval's success.k. With ties:
    the probability of a hit, hypergeometric in the group that the cut goes through.

    >>> HitRate(k=1).measure(shown=["a", "b", "c"], relevant={"a"}, scores=[1, 1, 1]).value.__round__(4)
    0.3333
    """

    name: ClassVar[str] = "hit_rate"
    title: ClassVar[str] = "hit rate"

    def value(self, judgement: Judgement) -> float:
        """See the class."""
        whole = judgement.starts + judgement.sizes <= self.k
        if judgement.hits[whole].any():
            return 1.0
        cut = np.flatnonzero(~whole & (judgement.starts < self.k))
        if not len(cut):
            return 0.0
        size, hits = judgement.sizes[cut[0]], judgement.hits[cut[0]]
        drawn = np.arange(self.k - judgement.starts[cut[0]])
        return 1.0 - float(np.prod(np.maximum(size - hits - drawn, 0) / (size - drawn)))
