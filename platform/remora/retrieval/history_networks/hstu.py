"""Hierarchical sequential transduction units: attention without softmax, gated."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Hstu(nn.Module):
    """States (n, L, d) of sequences (n, L, d), each place from itself and what stands before it.

    HSTU (Zhai et al., ICML 2024, section 3) without its bias of time: weights are SiLU(QK' + bias of distance) / L, so
    that the strength of a match is kept, which a softmax divides away.
    """

    def __init__(self, dimension: int, *, layers: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(length, dimension) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(_Unit(dimension, heads, length, dropout) for _ in range(layers))

    def forward(self, items: Tensor) -> Tensor:
        """Items (n, L, d), padding behind, to the states (n, L, d) of all positions; L is at most ``length``."""
        states = self.dropout(items + self.places[: items.shape[1]])
        for layer in self.layers:
            states = layer(states)
        return states


class _Unit(nn.Module):
    causal: Tensor

    def __init__(self, dimension: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.length = heads, length
        self.norm, self.read_norm = nn.LayerNorm(dimension), nn.LayerNorm(dimension)
        self.parts = nn.Linear(dimension, 4 * dimension)
        self.out = nn.Linear(dimension, dimension)
        self.distance = nn.Parameter(torch.zeros(heads, length))
        self.dropout = nn.Dropout(dropout)
        positions = torch.arange(length)
        self.register_buffer("causal", positions[:, None] - positions[None, :], persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        n, length, d = states.shape
        parts = F.silu(self.parts(self.norm(states))).view(n, length, 4, self.heads, d // self.heads)
        gate, value, query, key = parts.permute(2, 0, 3, 1, 4)
        apart = self.causal[:length, :length]
        weights = F.silu(query @ key.transpose(2, 3) + self.distance[:, apart.clamp(min=0)])
        read = (weights.masked_fill(apart < 0, 0.0) / self.length) @ value
        read = self.read_norm(read.transpose(1, 2).reshape(n, length, d))
        return states + self.dropout(self.out(read * gate.transpose(1, 2).reshape(n, length, d)))
