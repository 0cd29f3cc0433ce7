"""Binary cross-entropy without the overconfidence that few negatives teach."""

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
class Gbce(Loss):
    """gBCE: -log σ(target)^β - Σ log(1 - σ(negative)), with β from the share of negatives drawn and ``calibration``.

    Petrov and Macdonald, "gSASRec" (RecSys 2023), equation 13; calibration 0 is plain BCE, 1 undoes the sampling.
    """

    class Config(ComponentConfig):
        """The settings of the loss."""

        calibration: float = Field(
            0.75, ge=0, le=1, description="0 is plain binary cross-entropy, 1 undoes the sampling of negatives"
        )

    calibration: float = 0.75

    @classmethod
    def from_config(cls, config: Config) -> Gbce:
        """See :class:`~remora.retrieval.losses.loss.Loss`."""
        return cls(config.calibration)

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states of the mean over the positive and the m drawn, a scalar tensor."""
        import torch.nn.functional as F

        positive, negatives, share = logits.positive, logits.negatives, min(1.0, logits.share)
        power = share * (self.calibration * (1 - 1 / share) + 1 / share)
        negative = F.logsigmoid(-negatives).sum(1)
        return logits.mean(-power * F.logsigmoid(positive) - negative) / (negatives.shape[1] + 1)
