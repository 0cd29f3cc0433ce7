"""Cross-entropy over sampled items."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from remora.retrieval.losses.candidates import OUT, Logits, SampledLoss, SampledNegatives

BLOCK_SCORES = 500_000
"""Scores held at a time on a CPU: 2 MB stay in its cache, through all that is done with them."""


class SampledSoftmax(SampledLoss):
    """-log softmax of the target among itself and the sampled items, corrected for how often each is drawn.

    A target that was not sampled counts as certain and stands uncorrected: the correction of Bengio and Senécal (2008)
    for the others makes their sum an unbiased estimate of the catalogue's.
    """

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""
        positive = logits.corrected_positive
        return logits.mean(torch.logaddexp(positive, logits.log_rest) - positive)

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """As the parent's; on a CPU without ever holding all scores."""
        if sampled is None or not len(sampled.rows) or states.device.type != "cpu":
            return super().__call__(states, table, targets, sampled)
        positive, negatives = F.embedding(targets, table), F.embedding(sampled.rows, table)
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
