"""Normalised discounted cumulative gain."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt

from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import RelevanceMetric


class NDCG(RelevanceMetric):
    """DCG@k / ideal DCG@k, DCG@k = Σ gain at position p / log2(p + 1), linear gains.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002. The ideal list holds the
    min(k, R) largest gains of all relevant items, found or not.

    >>> NDCG(k=3).measure(shown=["a", "b", "c"], relevant={"b": 1.0})
    Mean(total=0.6309297535714575, count=1)
    """

    name: ClassVar[str] = "ndcg"
    title: ClassVar[str] = "NDCG"

    def value(self, judgement: Judgement) -> float:
        """See the class."""
        return _dcg(judgement.expected_gains[: self.k]) / _dcg(judgement.ideal_gains[: self.k])


def _dcg(gains: npt.NDArray[np.float64]) -> float:
    return float(np.sum(gains / np.log2(np.arange(2, len(gains) + 2))))
