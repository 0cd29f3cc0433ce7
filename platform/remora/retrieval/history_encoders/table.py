"""Readers of a user's history, by the names that settings choose from."""

from __future__ import annotations

from torch import nn

from remora.retrieval.history_encoders.attention import RecentAttention
from remora.retrieval.history_encoders.causal_transformer import CausalTransformer
from remora.retrieval.history_encoders.hstu import Hstu
from remora.retrieval.history_encoders.last_state import LastState
from remora.retrieval.history_encoders.ligr import Ligr
from remora.retrieval.history_encoders.mean_pooling import MeanPooling

HISTORY_ENCODERS: dict[str, type[nn.Module]] = {
    "mean": MeanPooling,
    "causal_transformer": CausalTransformer,
    "hstu": Hstu,
    "ligr": Ligr,
}
"""Of sequences (n, L, d) with padding behind: a state for every position."""

ATTENTION = "attention"


def history_encoder(name: str, dimension: int, *, length: int, layers: int, heads: int, dropout: float) -> nn.Module:
    """Of histories (n, L, d) with padding before: one vector. ``attention``, or the last state of an encoder."""
    if name == ATTENTION:
        return RecentAttention(dimension, length=length)
    encoder = HISTORY_ENCODERS[name](dimension, layers=layers, heads=heads, length=length, dropout=dropout)
    return LastState(encoder, dimension=dimension)
