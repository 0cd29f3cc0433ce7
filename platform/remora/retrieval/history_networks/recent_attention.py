"""Attention over a history, asked by what it is on average and by its last item."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RecentAttention(nn.Module):
    """One vector (n, d) of histories (n, L, d), most recent last, where ``present`` (n, L); zero of an empty one.

    Linear in the history's length, where an encoder of all positions is quadratic.
    """

    HEADS = 2

    def __init__(self, dimension: int, *, length: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(length, dimension) * 0.02)
        # Keys and values need no product per position: (K x) . q = x . (K^T q), and the mean of V x is V of the mean.
        self.ask = nn.Linear(2 * dimension, self.HEADS * dimension)
        self.answer = nn.Linear(self.HEADS * dimension, dimension)

    def forward(self, history: Tensor, present: Tensor, mean: Tensor, last: Tensor) -> Tensor:
        """Histories (n, L, d) and the mask ``present`` (n, L) to (n, d), queried by ``mean`` and ``last`` (n, d)."""
        n, _, width = history.shape
        ask = self.ask(torch.cat([mean, last], dim=1)).view(n, self.HEADS, width)
        scores = torch.bmm(ask, history.transpose(1, 2)) + ask @ self.place.T
        attention = torch.softmax(scores.masked_fill(~present[:, None], -1e4), dim=2) * present[:, None]
        return self.answer(torch.bmm(attention, history).view(n, self.HEADS * width))  # type: ignore[no-any-return]
