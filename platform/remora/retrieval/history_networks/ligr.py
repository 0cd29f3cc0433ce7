"""A causal transformer whose layers weigh what they add: LiGR."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from remora.retrieval.history_networks.causal_transformer import CausalTransformer, TransformerLayer


class Ligr(CausalTransformer):
    """States (n, L, d) of sequences (n, L, d), as of the causal transformer, with the layers of LiGR.

    Borisyuk et al., "From features to transformers: redefining ranking for scalable impact" (KDD 2025,
    arXiv:2502.03417); as layers of a sequential recommender in eSASRec (RecSys 2025).
    """

    @staticmethod
    def layer(dimension: int, heads: int, dropout: float) -> nn.Module:
        """One layer of it: states (n, L, d) to states (n, L, d)."""
        return GatedLayer(dimension, heads, dropout)


class GatedLayer(TransformerLayer):
    """Each part is added as ``x + Dropout(part(LayerNorm(x))) * sigmoid(W x + b)``: a position decides by its state how
    much of each number it takes in."""

    def __init__(self, dimension: int, heads: int, dropout: float) -> None:
        super().__init__(dimension, heads, dropout)
        self.attention_gate, self.feed_gate = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)

    def forward(self, states: Tensor) -> Tensor:
        """States (n, L, d) to states (n, L, d)."""
        states = states + self.dropout(self.attention(states)) * torch.sigmoid(self.attention_gate(states))
        return states + self.dropout(self.feed_forward(states)) * torch.sigmoid(self.feed_gate(states))
