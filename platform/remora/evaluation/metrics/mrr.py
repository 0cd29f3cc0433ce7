"""Mean reciprocal rank."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import RelevanceMetric


class MRR(RelevanceMetric):
    """1 / position of the first relevant item, 0 when it is not among the first k.

    Voorhees, "The TREC-8 question answering track report", 1999. With ties: of a group of g items with r relevant ones,
    the first relevant one stands at position j with probability C(g - j, r - 1) / C(g, r).

    >>> MRR(k=10).measure(shown=[7, 3, 9], relevant={3, 9})
    Mean(total=0.5, count=1)
    """

    name: ClassVar[str] = "mrr"
    title: ClassVar[str] = "MRR"

    def value(self, judgement: Judgement) -> float:
        """See the class."""
        groups = np.flatnonzero(judgement.hits)
        if not len(groups):
            return 0.0
        start, size, hits = (int(a[groups[0]]) for a in (judgement.starts, judgement.sizes, judgement.hits))
        rank = np.arange(1, size - hits + 2)
        missed = np.cumprod((size - hits - rank + 1) / (size - rank + 1))  # no relevant one in positions 1 … j
        probability = np.concatenate([[1.0], missed[:-1]]) - missed
        position = start + rank
        return float(np.sum(probability / position, where=position <= self.k))
