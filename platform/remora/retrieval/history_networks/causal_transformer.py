"""A causal transformer over a user's items, in the manner of SASRec."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CausalTransformer(nn.Module):
    """States (n, L, d) of sequences (n, L, d): each place reads itself and what stands before it.

    SASRec (Kang and McAuley, ICDM 2018) with the layers that later work found better: normalisation before each part,
    gated feed-forward (Shazeer, 2020), as in eSASRec (RecSys 2025). Padding stands behind, where causality hides it.
    What attention reads is dropped as a whole, not place by place: that costs a quarter of a step on a CPU, and the
    fused kernel as well.
    """

    def __init__(self, dimension: int, *, layers: int, heads: int, length: int, dropout: float) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(length, dimension) * 0.02)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(self.layer(dimension, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dimension)

    @staticmethod
    def layer(dimension: int, heads: int, dropout: float) -> nn.Module:
        """One layer of it: states (n, L, d) to states (n, L, d)."""
        return TransformerLayer(dimension, heads, dropout)

    def forward(self, items: Tensor) -> Tensor:
        """Items (n, L, d), padding behind, to the states (n, L, d) of all positions; L is at most ``length``."""
        states = self.dropout(items + self.places[: items.shape[1]])
        for layer in self.layers:
            states = layer(states)
        return self.norm(states)


class TransformerLayer(nn.Module):
    """Causal attention and a gated feed-forward network, each added to the states (n, L, d) that it reads."""

    def __init__(self, dimension: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(dimension), nn.LayerNorm(dimension)
        self.read = nn.Linear(dimension, 3 * dimension, bias=False)
        self.write = nn.Linear(dimension, dimension, bias=False)
        self.gate = nn.Linear(dimension, 4 * dimension, bias=False)
        self.out = nn.Linear(2 * dimension, dimension, bias=False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor) -> Tensor:
        """States (n, L, d) to states (n, L, d)."""
        states = states + self.dropout(self.attention(states))
        return states + self.dropout(self.feed_forward(states))

    def attention(self, states: Tensor) -> Tensor:
        """What each position reads (n, L, d) of itself and of those before it."""
        n, length, d = states.shape
        parts = self.read(self.attention_norm(states)).view(n, length, 3, self.heads, d // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        read = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.write(read.transpose(1, 2).reshape(n, length, d))  # type: ignore[no-any-return]

    def feed_forward(self, states: Tensor) -> Tensor:
        """SwiGLU of each position by itself (n, L, d)."""
        gate, value = self.gate(self.feed_norm(states)).chunk(2, dim=-1)
        return self.out(F.silu(gate) * value)  # type: ignore[no-any-return]
