"""Recall."""

from __future__ import annotations

from typing import ClassVar

from remora.evaluation.metrics.judgement import Judgement
from remora.evaluation.metrics.metric import RelevanceMetric


class Recall(RelevanceMetric):
    """The share of all relevant items that are among the first k: |relevant ∩ first k| / |relevant|.

    van Rijsbergen, "Information Retrieval", 1979; as trec_eval's recall.k.

    >>> Recall(k=2).measure(shown=[7, 3, 9], relevant={3, 9})
    Mean(total=0.5, count=1)
    """

    name: ClassVar[str] = "recall"
    title: ClassVar[str] = "recall"

    def value(self, judgement: Judgement) -> float:
        """See the class."""
        return judgement.expected_hits[: self.k].sum() / len(judgement.relevant)
