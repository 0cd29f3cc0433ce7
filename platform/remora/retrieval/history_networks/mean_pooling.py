"""The mean of what a user wanted."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MeanPooling(nn.Module):
    """States (n, L, d) of sequences (n, L, d): the mean of all items up to each position, later ones weighing more.

    How much more is learned; the start is an even mean. Cheap, and hard to beat where order says little.
    """

    def __init__(self, dimension: int, *, length: int, dropout: float) -> None:
        super().__init__()
        self.recency = nn.Parameter(torch.zeros(()))
        self.write = nn.Linear(dimension, dimension)
        self.dropout = nn.Dropout(dropout)
        self.length = length

    def forward(self, items: Tensor) -> Tensor:
        """Items (n, L, d), padding behind, to the states (n, L, d) of all positions."""
        positions = torch.arange(items.shape[1], device=items.device, dtype=items.dtype)
        apart = positions[:, None] - positions[None, :]
        logits = (-self.recency * apart.clamp(min=0)).masked_fill(apart < 0, -torch.inf)
        mean = logits.softmax(dim=1) @ self.dropout(items)
        return mean + self.write(mean)
