"""A softmax whose positives and negatives have temperatures of their own."""

from __future__ import annotations

from torch import Tensor

from remora.retrieval.losses.candidates import Logits, SampledLoss


class BilateralSoftmax(SampledLoss):
    """BSL: the log-sum-exp of the negatives, ``ratio`` times, less the positive's score.

    Wu et al., "BSL: Understanding and improving softmax loss for recommendation" (ICDE 2024), for states that have one
    positive each: ``ratio`` is the positive temperature over the negative one, and says how much the worst case of the
    negatives counts beside the positive. 1 is the softmax without the target in its denominator.
    """

    def __init__(self, ratio: float = 1.1) -> None:
        self.ratio = ratio

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""
        return logits.mean(self.ratio * logits.log_rest - logits.corrected_positive)
