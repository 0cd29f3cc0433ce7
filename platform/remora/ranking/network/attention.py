"""What a candidate finds in its user's history: DIN."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HistoryAttention(nn.Module):
    """Weighs each item of the history by the candidate, through a small network of both.

    G. Zhou et al., Deep interest network, KDD 2018; the weights are not made to add up to one, as there: how much of
    the history is like the candidate says something too. Item vectors (d) are projected to ``width`` first.
    """

    def __init__(self, dimension: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.project = nn.Linear(dimension, width)
        self.weigh = nn.Sequential(nn.Linear(3 * width, width), nn.PReLU(), nn.Linear(width, 1))

    @property
    def gives(self) -> int:
        """Width: the candidate, what it found, their product, and how like the history it is on the whole."""
        return 3 * self.width + 1

    def forward(self, candidates: Tensor, histories: Tensor, present: Tensor, slate: Tensor) -> Tensor:
        """Candidates (n, d) of slates ``slate`` (n,); histories (q, l, d) with a mask (q, l): shape (n, gives).

        Without any history (l = 0) everything is computed all the same: a worker of which a parameter takes no part in
        a step would leave the others waiting for its gradient.
        """
        own, past = self.project(candidates), self.project(histories)
        seen, there = past[slate], present[slate]
        beside = own[:, None, :].expand_as(seen)
        weights = self.weigh(torch.cat([beside, seen, beside * seen], dim=2))[..., 0] * there
        count = there.sum(dim=1, keepdim=True).clamp(min=1)
        found = (weights[..., None] * seen).sum(dim=1) / count.sqrt()
        alike = ((own[:, None, :] * seen).sum(dim=2) * there).sum(dim=1, keepdim=True) / count
        return torch.cat([own, found, own * found, alike], dim=1)
