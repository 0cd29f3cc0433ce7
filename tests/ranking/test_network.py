"""The deep ranker's parts against their equations, and what it does with rows that are odd."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.ranking.worlds import COLUMNS, OBJECTIVES, WIDTH, slates, vectors

from remora.core.errors import DataError
from remora.ranking.batch import Batch, stacked
from remora.ranking.learning import RankerInputs
from remora.ranking.models.network import Network
from remora.ranking.network.attention import HistoryAttention
from remora.ranking.network.crosses import Crosses
from remora.ranking.network.experts import Experts
from remora.ranking.network.inputs import FeatureInput, Scale
from remora.ranking.network.network import NetworkSpec, RankingNetwork
from remora.ranking.network.tensors import padded


@pytest.fixture
def network() -> Network:
    torch.manual_seed(3)
    spec = NetworkSpec(
        columns=COLUMNS,
        scale=Scale.fit(slates(20, seed=1).batch.features),
        objectives=OBJECTIVES,
        dimension=WIDTH,
        settings=Network.Config(hidden_dim=16, attention_dim=8, experts=3, expert_width=8, history=4),
    )
    return Network(spec, RankingNetwork(spec), vectors())


def test_crosses_are_equation_one_of_the_paper() -> None:
    torch.manual_seed(1)
    crosses, x = Crosses(5, 2), torch.randn(7, 5)
    once = x * (x @ crosses.layers[0].weight.T + crosses.layers[0].bias) + x
    twice = x * (once @ crosses.layers[1].weight.T + crosses.layers[1].bias) + once
    torch.testing.assert_close(crosses(x), twice)
    torch.testing.assert_close(Crosses(5, 0)(x), x)


def test_experts_are_mixed_by_each_objectives_gate() -> None:
    torch.manual_seed(1)
    experts, x = Experts(4, 3, 6, 2, dropout=0.0), torch.randn(5, 4)
    for objective in range(2):
        gate = torch.softmax(experts.gates[objective](x), dim=1)
        mixed = sum(gate[:, n : n + 1] * experts.experts[n](x) for n in range(3))
        torch.testing.assert_close(experts(x)[:, objective : objective + 1], experts.towers[objective](mixed))


def test_attention_reads_each_slates_own_history_and_nothing_of_the_padding() -> None:
    torch.manual_seed(1)
    attention, items = HistoryAttention(WIDTH, 4), torch.randn(3, WIDTH)
    past, slate = torch.randn(2, 3, WIDTH), torch.tensor([0, 0, 1])
    present = torch.tensor([[True, True, True], [True, False, False]])
    whole = attention(items, past, present, slate)
    alone = attention(items[2:], past[1:, :1], present[1:, :1], torch.tensor([0]))
    torch.testing.assert_close(whole[2:], alone)
    order = attention(items, past[:, [2, 0, 1]], present[:, [2, 0, 1]], slate)
    torch.testing.assert_close(order[:2], whole[:2])  # a set, not a sequence
    assert whole.shape == (3, attention.gives)
    assert torch.isfinite(attention(items, past[:, :0], present[:, :0], slate)).all()


def test_missing_unseen_and_infinite_values_are_values_of_their_own() -> None:
    scale = Scale.fit(slates(20, seed=1).batch.features)
    read = FeatureInput(COLUMNS, scale, 8)
    rows = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, np.nan], [1.0, 0.0, np.inf], [1.0, np.nan, 0.0]])
    found = read(rows)
    assert torch.isfinite(found).all()
    assert not torch.allclose(found[0], found[1])
    torch.testing.assert_close(found[1], found[2])
    assert not torch.allclose(found[0], found[3])


def test_a_slate_scores_the_same_alone_and_among_others(network: Network) -> None:
    many = slates(5, seed=4).batch
    alone = np.concatenate([network.margins(many.take(np.array([n]))) for n in range(5)])
    np.testing.assert_allclose(network.margins(many), alone, atol=1e-5)
    np.testing.assert_allclose(network.margins(stacked(many, many)), np.concatenate([alone, alone]), atol=1e-5)


def test_a_slate_of_one_of_none_and_a_user_without_history(network: Network) -> None:
    one = slates(1, seed=4, size=1).batch
    assert network.margins(one).shape == (1, 2)
    new = Batch(features=one.features, rows=one.rows, slate=one.slate, histories=[np.empty(0, np.int32)])
    assert np.isfinite(network.margins(new)).all()
    nothing = Batch(features=one.features[:0], rows=one.rows[:0], slate=one.slate[:0], histories=[])
    assert network.margins(nothing).shape == (0, 2)


def test_what_is_loaded_scores_as_what_was_saved_and_only_with_its_own_vectors(
    network: Network, tmp_path: Path
) -> None:
    network.save(tmp_path)
    batch = slates(3, seed=5).batch
    inputs = RankerInputs(columns=COLUMNS, objectives=OBJECTIVES, item_vectors=vectors())
    loaded = Network.load(Network.Config(), tmp_path, inputs)
    np.testing.assert_array_equal(loaded.margins(batch), network.margins(batch))
    with pytest.raises(DataError, match="reads item vectors of 6 numbers, these have 5"):
        Network.load(Network.Config(), tmp_path, replace(inputs, item_vectors=vectors()[:, :5]))


def test_histories_keep_their_most_recent_rows() -> None:
    assert padded([np.array([1, 2, 3], np.int32), np.array([4], np.int32)], 2).tolist() == [[2, 3], [4, -1]]
    assert padded([np.array([1], np.int32)], 0).shape == (1, 0)
