"""Several objectives from shared experts: MMoE."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Experts(nn.Module):
    """(n, width) to (n, objectives): each objective mixes the experts by a gate of its own, then a tower.

    J. Ma et al., Modeling task relationships in multi-task learning with multi-gate mixture-of-experts, KDD 2018.
    """

    def __init__(self, width: int, experts: int, expert_width: int, objectives: int, dropout: float) -> None:
        super().__init__()
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(width, expert_width), nn.ReLU(), nn.Dropout(dropout)) for _ in range(experts)
        )
        self.gates = nn.ModuleList(nn.Linear(width, experts) for _ in range(objectives))
        self.towers = nn.ModuleList(
            nn.Sequential(nn.Linear(expert_width, expert_width // 2), nn.ReLU(), nn.Linear(expert_width // 2, 1))
            for _ in range(objectives)
        )

    def forward(self, read: Tensor) -> Tensor:
        """(n, width) to margins (n, objectives): a number before calibration for each objective."""
        found = torch.stack([expert(read) for expert in self.experts], dim=1)
        margins = [
            tower((torch.softmax(gate(read), dim=1)[..., None] * found).sum(dim=1))
            for gate, tower in zip(self.gates, self.towers, strict=True)
        ]
        return torch.cat(margins, dim=1)
