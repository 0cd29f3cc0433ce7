"""A softmax whose positives and negatives have temperatures of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.losses.loss import Loss

if TYPE_CHECKING:  # settings import the components that they name
    from torch import Tensor

    from remora.retrieval.losses.candidates import Logits


@dataclass(frozen=True)
class BilateralSoftmax(Loss):
    """BSL: the log-sum-exp of the negatives, ``ratio`` times, less the positive's score.

    Wu et al., "BSL: Understanding and improving softmax loss for recommendation" (ICDE 2024), for states that have one
    positive each: ``ratio`` is the positive temperature over the negative one, and says how much the worst case of the
    negatives counts beside the positive. 1 is the softmax without the target in its denominator.
    """

    class Config(ComponentConfig):
        """The settings of the loss."""

        ratio: float = Field(1.1, gt=0, le=100, description="temperature of the positives over that of the negatives")

    ratio: float = 1.1

    @classmethod
    def from_config(cls, config: Config) -> BilateralSoftmax:
        """See :class:`~remora.retrieval.losses.loss.Loss`."""
        return cls(config.ratio)

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""
        return logits.mean(self.ratio * logits.log_rest - logits.corrected_positive)
