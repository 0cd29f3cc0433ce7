"""The deep ranker's parts, put together."""

from __future__ import annotations

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from remora.ranking.columns import RankerColumns
from remora.ranking.models.network import Network
from remora.ranking.network.attention import HistoryAttention
from remora.ranking.network.crosses import Crosses
from remora.ranking.network.experts import Experts
from remora.ranking.network.inputs import FeatureInput, Scale


class NetworkSpec(BaseModel):
    """All that a network is made from but its weights. ``dimension``: of the item vectors that it reads."""

    model_config = ConfigDict(frozen=True)

    columns: RankerColumns
    scale: Scale
    objectives: tuple[str, ...]
    dimension: int
    settings: Network.Config


class RankingNetwork(nn.Module):
    """Features and what the candidate finds in the history, crossed, then experts; beside them a straight line."""

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        chosen, objectives = spec.settings, len(spec.objectives)
        self.features = FeatureInput(spec.columns, spec.scale, chosen.hidden_dim)
        self.attention = HistoryAttention(spec.dimension, chosen.attention_dim)
        width = chosen.hidden_dim + self.attention.gives
        self.crosses = Crosses(width, chosen.cross_layers)
        self.drop = nn.Dropout(chosen.dropout)
        self.experts = Experts(width, chosen.experts, chosen.expert_width, objectives, chosen.dropout)
        self.line = nn.Linear(width, objectives)

    def forward(self, features: Tensor, items: Tensor, histories: Tensor, present: Tensor, slate: Tensor) -> Tensor:
        """Features (n, F), items (n, d), histories (q, l, d), mask (q, l) and slate (n,) to margins (n, objectives)."""
        read = torch.cat([self.features(features), self.attention(items, histories, present, slate)], dim=1)
        crossed = self.drop(self.crosses(read))
        return self.experts(crossed) + self.line(read)  # type: ignore[no-any-return]
