"""Cross-entropy over drawn items."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from remora.retrieval.losses.candidates import OUT, Compared, Drawn, SampledLoss

BLOCK_SCORES = 500_000
"""Scores held at a time on a CPU: 2 MB stay in its cache, through all that is done with them."""


class SampledSoftmax(SampledLoss):
    """-log softmax of the target among itself and the drawn items, corrected for how often each is drawn.

    A target that was not drawn counts as certain and stands uncorrected: the correction of Bengio and Senécal (2008)
    for the others makes their sum an unbiased estimate of the catalogue's.
    """

    def of(self, compared: Compared) -> Tensor:
        """The (weighted) mean over states."""
        own = compared.corrected_own
        return compared.mean(torch.logaddexp(own, compared.log_rest) - own)

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None) -> Tensor:
        """As the parent's; on a CPU without ever holding all scores."""
        if drawn is None or not len(drawn.rows) or states.device.type != "cpu":
            return super().__call__(states, table, targets, drawn)
        own, others = F.embedding(targets, table), F.embedding(drawn.rows, table)
        return _Blockwise.apply(states, own, others, targets, drawn)  # type: ignore[no-any-return]


class _Blockwise(torch.autograd.Function):
    """Scores, loss and all gradients of some states at a time; the scores are thrown away at once."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, own: Tensor, others: Tensor, targets: Tensor, drawn: Drawn) -> Tensor:
        n, m = len(states), len(others)
        block = max(1, min(n, BLOCK_SCORES // m))
        total = states.new_zeros(())
        to_states, to_own, to_others = torch.empty_like(states), torch.empty_like(own), torch.zeros_like(others)
        buffer = states.new_empty((block, m))
        for begin in range(0, n, block):
            here = slice(begin, begin + block)
            part, target = states[here], own[here]
            scores = torch.addmm(-drawn.log_expected, part, others.T, out=buffer[: len(part)])
            scores.masked_fill_(drawn.rows == targets[here, None], OUT)
            mine = (part * target).sum(1, keepdim=True)
            peak = torch.maximum(scores.amax(1, keepdim=True), mine)
            mine -= peak
            sums = scores.sub_(peak).exp_().sum(1, keepdim=True) + mine.exp()
            total += (sums.log() - mine).sum()
            lack = (mine.exp() / sums - 1) / n
            torch.mul(lack, part, out=to_own[here])
            torch.mm(scores, others, out=to_states[here]).div_(sums * n).addcmul_(lack, target)
            to_others.addmm_(scores.T, part / (sums * n))
        ctx.save_for_backward(to_states, to_own, to_others)
        return total / n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return *(one * gradients[0] for one in ctx.saved_tensors), None, None
