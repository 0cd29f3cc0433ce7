"""Cross-entropy over the whole catalogue, without ever holding all scores."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK_SCORES = 4_000_000
"""Scores held at a time on a CPU: 16 MB stay within what the allocator reuses; more costs page faults at every step."""


def blockwise_cross_entropy(states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
    """The mean over states (n, d) whose ``targets`` (n,) are rows of the ``table`` (items, d), a scalar tensor."""
    return _BlockwiseCrossEntropy.apply(states, table, targets)  # type: ignore[no-any-return]


class _BlockwiseCrossEntropy(torch.autograd.Function):
    """Scores, loss and both gradients of some states at a time; the scores are thrown away at once."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, table: Tensor, targets: Tensor) -> Tensor:
        n, items = len(states), len(table)
        block = max(1, min(n, BLOCK_SCORES // items))
        total = states.new_zeros(())
        to_states, to_table = torch.empty_like(states), torch.zeros_like(table)
        buffer = states.new_empty((block, items))
        for begin in range(0, n, block):
            part, own = states[begin : begin + block], targets[begin : begin + block, None]
            scores = torch.mm(part, table.T, out=buffer[: len(part)])
            # Less the largest score, so that no exponential overflows.
            scores -= scores.amax(1, keepdim=True)
            target = scores.gather(1, own)
            sums = scores.exp_().sum(1, keepdim=True)
            total += (sums.log() - target).sum()
            scores /= sums * n
            scores.scatter_add_(1, own, torch.full_like(target, -1.0 / n))
            torch.mm(scores, table, out=to_states[begin : begin + block])
            to_table.addmm_(scores.T, part)
        ctx.save_for_backward(to_states, to_table)
        return total / n

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        to_states, to_table = ctx.saved_tensors
        return to_states * gradients[0], to_table * gradients[0], None
