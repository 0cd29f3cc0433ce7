"""Binary cross-entropy without the overconfidence that few negatives teach."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from remora.retrieval.losses.candidates import Logits, SampledLoss


class Gbce(SampledLoss):
    """gBCE: -log σ(target)^β - Σ log(1 - σ(negative)), with β from the share of negatives drawn and ``calibration``.

    Petrov and Macdonald, "gSASRec" (RecSys 2023), equation 13; calibration 0 is plain BCE, 1 undoes the sampling.
    """

    def __init__(self, calibration: float = 0.75) -> None:
        self.calibration = calibration

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states of the mean over the positive and the m drawn, a scalar tensor."""
        positive, negatives, share = logits.positive, logits.negatives, min(1.0, logits.share)
        power = share * (self.calibration * (1 - 1 / share) + 1 / share)
        negative = F.logsigmoid(-negatives).sum(1)
        return logits.mean(-power * F.logsigmoid(positive) - negative) / (negatives.shape[1] + 1)
