"""A metric that gates may bound."""

from __future__ import annotations

from typing import ClassVar

from remora.evaluation.metrics import Judgement, RelevanceMetric


class Precision(RelevanceMetric):
    """The share of the first k places that hold a relevant item: |relevant ∩ first k| / k, as trec_eval's P.k."""

    name: ClassVar[str] = "precision"
    title: ClassVar[str] = "precision"

    def value(self, judgement: Judgement) -> float:
        """See the class; where scores tie, the expectation over the orders of the ties."""
        return float(judgement.expected_hits[: self.k].sum()) / self.k
