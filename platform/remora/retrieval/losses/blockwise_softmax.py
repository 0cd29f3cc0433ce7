"""The softmax over sampled items and all its gradients, without ever holding all scores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from remora.retrieval.losses.candidates import OUT, SampledNegatives

BLOCK_SCORES = 500_000
"""Scores held at a time on a CPU: 2 MB stay in its cache, through all that is done with them."""


def blockwise_softmax(
    states: Tensor, positive: Tensor, negatives: Tensor, targets: Tensor, sampled: SampledNegatives
) -> Tensor:
    """The mean over states (n, d), a scalar tensor, from vectors ``positive`` (n, d) of their ``targets`` (n,) and
    ``negatives`` (m, d) of the sampled items."""
    return _BlockwiseSoftmax.apply(states, positive, negatives, targets, sampled)  # type: ignore[no-any-return]


class _BlockwiseSoftmax(torch.autograd.Function):
    """Scores, loss and all gradients of some states at a time; the scores are thrown away at once."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, positive: Tensor, negatives: Tensor, targets: Tensor, sampled: SampledNegatives
    ) -> Tensor:
        n, m = len(states), len(negatives)
        block = max(1, min(n, BLOCK_SCORES // m))
        total = states.new_zeros(())
        to_states, to_positive, to_negatives = (
            torch.empty_like(states),
            torch.empty_like(positive),
            torch.zeros_like(negatives),
        )
        buffer = states.new_empty((block, m))
        for begin in range(0, n, block):
            here = slice(begin, begin + block)
            part, target = states[here], positive[here]
            scores = torch.addmm(-sampled.log_expected, part, negatives.T, out=buffer[: len(part)])
            scores.masked_fill_(sampled.rows == targets[here, None], OUT)
            mine = (part * target).sum(1, keepdim=True)
            # Less the largest score, so that no exponential overflows.
            peak = torch.maximum(scores.amax(1, keepdim=True), mine)
            mine -= peak
            sums = scores.sub_(peak).exp_().sum(1, keepdim=True) + mine.exp()
            total += (sums.log() - mine).sum()
            lack = (mine.exp() / sums - 1) / n
            torch.mul(lack, part, out=to_positive[here])
            torch.mm(scores, negatives, out=to_states[here]).div_(sums * n).addcmul_(lack, target)
            to_negatives.addmm_(scores.T, part / (sums * n))
        ctx.save_for_backward(to_states, to_positive, to_negatives)
        return total / n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return *(one * gradients[0] for one in ctx.saved_tensors), None, None
