"""Encoders of a user's history, by the names that settings choose from."""

from __future__ import annotations

from torch import nn

from remora.retrieval.history.causal_transformer import CausalTransformer
from remora.retrieval.history.hstu import Hstu
from remora.retrieval.history.mean import Mean

HISTORY_ENCODERS: dict[str, type[nn.Module]] = {
    "mean": Mean,
    "causal_transformer": CausalTransformer,
    "hstu": Hstu,
}
