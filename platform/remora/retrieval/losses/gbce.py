"""Binary cross-entropy without the overconfidence that few negatives teach."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from remora.retrieval.losses.candidates import Drawn, against


class Gbce:
    """gBCE: -log σ(target)^β - Σ log(1 - σ(negative)), with β from the share of negatives drawn and ``calibration``.

    Petrov and Macdonald, "gSASRec" (RecSys 2023), equation 13; calibration 0 is plain BCE, 1 undoes the sampling.
    """

    needs_draws = True

    def __init__(self, calibration: float = 0.75) -> None:
        self.calibration = calibration

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None) -> Tensor:
        """The mean over states."""
        assert drawn is not None
        own, others = against(states, table, targets, drawn)
        share = len(drawn.rows) / (drawn.catalogue - 1)
        power = share * (self.calibration * (1 - 1 / share) + 1 / share)
        total = -power * F.logsigmoid(own) - F.logsigmoid(-others).masked_fill(torch.isinf(others), 0.0).sum(1)
        return total.mean() / (len(drawn.rows) + 1)
