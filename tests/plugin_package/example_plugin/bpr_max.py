"""A loss: the target beside the strongest of the sampled items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.losses.candidates import OUT
from remora.retrieval.losses.loss import Loss

if TYPE_CHECKING:
    from torch import Tensor

    from remora.retrieval.losses.candidates import Logits


@dataclass(frozen=True)
class BprMax(Loss):
    """BPR-max: -log Σ s_j σ(r_i - r_j) + λ Σ s_j r_j², where s is the softmax of the sampled items' scores r_j.

    Hidasi and Karatzoglou, "Recurrent neural networks with top-k gains for session-based recommendations" (CIKM 2018).
    """

    class Config(ComponentConfig):
        """The settings of the loss."""

        regularization: float = Field(0.01, ge=0, le=1_000, description="λ: of the sampled items' scores")

    regularization: float

    @classmethod
    def from_config(cls, config: Config) -> BprMax:
        """The loss of these settings."""
        return cls(config.regularization)

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""
        import torch.nn.functional as F

        others, weights = logits.negatives, F.log_softmax(logits.negatives, dim=1)
        ranked = (weights + F.logsigmoid(logits.positive[:, None] - others)).logsumexp(1)
        size = (weights.exp() * others.masked_fill(others <= OUT, 0.0) ** 2).sum(1)
        return logits.mean(self.regularization * size - ranked)
