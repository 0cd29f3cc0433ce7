"""The deep ranker on Ray Train: what it learns, with any number of workers, and with features alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.ranking.worlds import COLUMNS, OBJECTIVES, WIDTH, slates, vectors

from remora.core.home import Home
from remora.fitting.training_run import TrainingRun
from remora.ranking.models.network import Network
from remora.ranking.network.fit import fit_network
from remora.ranking.network.inputs import Scale
from remora.ranking.network.network import NetworkSpec, RankingNetwork
from remora.ranking.network.tensors import tensors
from remora.ranking.network.training import (
    NDCG,
    NetworkInputs,
    NetworkSchedule,
    _labels,
    _loss,
    _totals,
    epochs_in_process,
    fit_in_process,
    validated,
)
from remora.ranking.slate_ndcg import mean_ndcg
from remora.ranking.slates import both
from remora.settings import ObjectiveSettings
from remora.training.fit_blend import blended

pytestmark = pytest.mark.usefixtures("ray_cluster")

TRAIN, JUDGED = slates(300, seed=1), slates(80, seed=2)
SCHEDULE = NetworkSchedule(
    epochs=8, patience=8, batch_queries=16, learning_rate=1e-2, weight_decay=0.0, seed=5, seconds=None
)
MADE_OF = {name: ObjectiveSettings(events=("like",)) for name in OBJECTIVES}


def inputs(**changes: Any) -> NetworkInputs:
    settings = Network.Config(hidden_dim=16, attention_dim=8, experts=2, expert_width=16, dropout=0.0)
    spec = NetworkSpec(
        columns=COLUMNS,
        scale=Scale.fit(TRAIN.batch.features),
        objectives=OBJECTIVES,
        dimension=WIDTH,
        settings=settings.model_copy(update=changes),
    )
    return NetworkInputs(spec=spec, objectives=MADE_OF, item_vectors=vectors(), train=TRAIN, validation=JUDGED)


def run(folder: Path, workers: int = 1) -> TrainingRun:
    return TrainingRun(home=Home(str(folder)), version="one", workers=workers)


@pytest.fixture(scope="module")
def alone(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return fit_network(run(tmp_path_factory.mktemp("alone")), inputs(), SCHEDULE)


def test_it_finds_what_depends_on_history_and_category_together(alone: Any) -> None:
    network, epochs = alone
    margins = Network(inputs().spec, network, vectors()).margins(JUDGED.batch)
    found = [mean_ndcg(margins[:, n], JUDGED.labels[name], JUDGED.batch.slate) for n, name in enumerate(OBJECTIVES)]
    assert min(found) > 0.9
    assert max(epoch[NDCG] for epoch in epochs) == pytest.approx(np.mean(found), abs=1e-5)


def test_in_one_process_it_is_the_same_as_with_one_worker(alone: Any) -> None:
    found = [quality for quality, _ in epochs_in_process(inputs(), SCHEDULE)]
    np.testing.assert_allclose(found, [epoch[NDCG] for epoch in alone[1]], atol=1e-3)
    assert validated(fit_in_process(inputs(), replace(SCHEDULE, epochs=2)), inputs()) > 0.5


def test_without_the_history_the_order_is_lost(alone: Any) -> None:
    blind = fit_in_process(inputs(history=0), replace(SCHEDULE, epochs=3))
    assert validated(blind, inputs(history=0)) < max(epoch[NDCG] for epoch in alone[1]) - 0.1


@pytest.mark.slow
def test_two_workers_learn_what_one_does_from_the_same_batches(alone: Any, tmp_path: Path) -> None:
    _, epochs = fit_network(run(tmp_path, workers=2), inputs(), SCHEDULE)
    np.testing.assert_allclose([e[NDCG] for e in epochs], [e[NDCG] for e in alone[1]], atol=0.01)


@pytest.mark.parametrize("share", ["without histories", "without slates"])
def test_every_parameter_has_a_gradient_whatever_is_in_a_workers_share(share: str) -> None:
    """Workers add up gradients parameter by parameter: where one leaves a parameter out, the others wait for ever."""
    batch = TRAIN.batch.take(np.arange(4) if share == "without histories" else np.empty(0, np.int64))
    batch = replace(batch, histories=[history[:0] for history in batch.histories])
    network = RankingNetwork(inputs().spec)
    network(*tensors(batch, vectors(), inputs().history)).sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_it_continues_from_weights_without_a_validation_set(alone: Any, tmp_path: Path) -> None:
    weights = alone[0].state_dict()
    still = replace(SCHEDULE, epochs=2, patience=1, learning_rate=0.0)
    more = replace(inputs(), train=both(TRAIN, JUDGED), validation=None, weights=weights)
    again, epochs = fit_network(run(tmp_path), more, still)
    assert len(epochs) == 2
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)


def test_the_loss_is_that_of_a_loop_over_slates() -> None:
    torch.manual_seed(2)
    found, given = slates(6, seed=9), inputs(listwise_loss_weight=0.7)
    labels, counts = _labels(found, MADE_OF), torch.from_numpy(1.0 / found.sampled)
    slate, margins = torch.from_numpy(found.batch.slate), torch.randn(len(found.batch), 2)
    shares = _totals(labels, counts, found.batch.slate)
    expected = torch.zeros(())
    for place in range(2):
        pointwise = torch.nn.functional.binary_cross_entropy_with_logits(
            margins[:, place], labels[:, place], weight=counts, reduction="sum"
        )
        listwise, slates_with_any = torch.zeros(()), 0
        for n in range(6):
            inside = slate == n
            label = labels[inside, place]
            if label.any():
                listwise -= (label / label.sum() * torch.log_softmax(margins[inside, place], dim=0)).sum()
                slates_with_any += 1
        expected += 0.7 * listwise / slates_with_any + 0.3 * pointwise / counts.sum()
    torch.testing.assert_close(_loss(margins, labels, counts, slate, 6, given, shares), expected)

    parts = torch.zeros(())  # what two workers add up to
    for own in (np.array([0, 2, 4]), np.array([1, 3, 5])):
        inside = torch.from_numpy(np.isin(found.batch.slate, own))
        numbered = torch.from_numpy(found.batch.take(own).slate)
        parts += _loss(margins[inside], labels[inside], counts[inside], numbered, 3, given, shares)
    torch.testing.assert_close(parts, expected)


def test_a_blend_is_as_good_as_its_best_model_on_validation() -> None:
    draw, truth = np.random.default_rng(3), np.stack([JUDGED.labels[name] for name in OBJECTIVES], axis=1)
    good = (truth + draw.normal(size=truth.shape)).astype(np.float32)
    other = (5 * truth + 5 * draw.normal(size=truth.shape)).astype(np.float32)
    chance = draw.normal(size=truth.shape).astype(np.float32)
    slate = JUDGED.batch.slate

    def quality(margins: np.ndarray, place: int) -> float:
        return mean_ndcg(margins[:, place], truth[:, place], slate)

    models = {"trees": good, "network": other}
    blend = blended(models, JUDGED, OBJECTIVES)
    for place in range(2):
        assert quality(blend.of(models), place) > max(quality(one, place) for one in models.values())
        assert sum(blend.shares[name][place] for name in models) == pytest.approx(1.0)
    useless = blended({"trees": truth, "network": chance}, JUDGED, OBJECTIVES)
    assert useless.shares["trees"] == (1.0, 1.0)
    assert useless.models == ("trees",)
