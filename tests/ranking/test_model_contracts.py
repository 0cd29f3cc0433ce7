"""Remora's ranking models keep the promises of their kind."""

from __future__ import annotations

from remora.ranking.models.network import Network
from remora.ranking.models.trees import Trees
from remora.testing.ranking_models import RankingModelContract


class TestTrees(RankingModelContract):
    component = Trees

    def config(self) -> Trees.Config:
        return Trees.Config(num_boost_round=20, max_depth=3)


class TestNetwork(RankingModelContract):
    component = Network

    def config(self) -> Network.Config:
        return Network.Config(hidden_dim=16, expert_width=8, experts=2, attention_dim=8, epochs=8, learning_rate=0.02)
