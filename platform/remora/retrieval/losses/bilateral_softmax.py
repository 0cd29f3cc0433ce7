"""A softmax that doubts its positives as it doubts its negatives."""

from __future__ import annotations

import torch
from torch import Tensor

from remora.retrieval.losses.candidates import Drawn, against


class BilateralSoftmax:
    """BSL: log-mean-exp of the negatives against a softened log-mean-exp over the batch's positives.

    Wu et al., "BSL: Understanding and improving softmax loss for recommendation" (ICDE 2024). ``softness`` is the ratio
    of the two temperatures; 1 gives the plain softmax without the target in the denominator.
    """

    needs_draws = True

    def __init__(self, softness: float = 1.2) -> None:
        self.softness = softness

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None) -> Tensor:
        """The mean over states."""
        assert drawn is not None
        own, others = against(states, table, targets, drawn)
        margin = own - torch.logsumexp(others - drawn.log_expected, dim=1)
        n = torch.tensor(float(len(targets)), device=own.device)
        return -self.softness * (torch.logsumexp(margin / self.softness, dim=0) - n.log())
