"""Towers fitted by Ray Train: what they learn, with any number of workers, with and without a lost one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.core.errors import DataError
from remora.core.home import Home
from remora.fitting.checkpoints import COOLING, check_shapes, is_over, judged, progress
from remora.fitting.lr_schedule import rate
from remora.fitting.runs import POLL
from remora.fitting.torch_runs import Resources
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.matrix_factorization import PairSpec
from remora.retrieval.sequential_tower import SequenceSpec, SequentialTower
from remora.retrieval.training_inputs import (
    NextItems,
    PairInputs,
    PairSchedule,
    PairValidation,
    SequenceInputs,
    SequenceSchedule,
)
from remora.settings.components import HistoryEncoderChoice, LossChoice
from remora.training.fitting import fit_pairs, fit_sequences

ITEMS = 20
SPEC = SequenceSpec(
    items=ITEMS,
    dimension=16,
    encoder=HistoryEncoderChoice.model_validate({"type": "causal_transformer", "layers": 1, "dropout": 0.0}),
    length=8,
    temperature=0.1,
)
SOFTMAX = LossChoice.model_validate("sampled_softmax")
SCHEDULE = SequenceSchedule(
    epochs=3, batch_users=16, learning_rate=0.01, loss=SOFTMAX, negatives=16, popularity=0.3,
    weight_decay=0.0, patience=3, seconds=None, seed=5,
)  # fmt: skip
ONE = Resources(threads=1)


def circles(users: int = 61, seed: int = 2) -> SequenceInputs:
    """Everyone goes round the catalogue in threes, from anywhere: what comes next is certain."""
    draw = np.random.default_rng(seed)
    walks = [(draw.integers(ITEMS) + 3 * np.arange(draw.integers(2, 12))) % ITEMS for _ in range(users)]
    whole = Histories.of(walks, ITEMS)
    users_asked = np.flatnonzero(whole.lengths >= 3)
    asked = whole.chosen(users_asked)
    targets = asked.flat[asked.ends[1:] - 1].astype(np.int64)
    return SequenceInputs(
        spec=SPEC, train=whole.without_last(1), validation=NextItems(histories=asked.without_last(1), targets=targets)
    )


def kinds(users: int = 60, items: int = 40, seed: int = 3) -> PairInputs:
    """Users of four kinds, who have items of their kind."""
    draw = np.random.default_rng(seed)
    alike = np.arange(users)[:, None] % 4 == np.arange(items) % 4
    had = draw.random((users, items)) < np.where(alike, 0.8, 0.02)
    held = had & (draw.random(had.shape) < 0.3)
    rest = sp.csr_array((had & ~held).astype(np.float32))
    asked = np.flatnonzero(held.any(1))
    return PairInputs(
        spec=PairSpec(users=users, items=items, dimension=8, temperature=0.2),
        train=Histories(items=items, flat=rest.indices.astype(np.int32), ends=rest.indptr.astype(np.int64)),
        validation=PairValidation(users=asked, had=rest[asked], relevant=sp.csr_array(held[asked].astype(np.float32))),
    )


PAIRS = PairSchedule(
    epochs=8, batch_size=16, learning_rate=0.08, loss=SOFTMAX, negatives=16, popularity=0.0, patience=20,
    seconds=None, seed=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def alone(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    home = Home(str(tmp_path_factory.mktemp("alone")))
    return fit_sequences(home, "alone", circles(), SCHEDULE, ONE)


@pytest.mark.slow
def test_what_comes_next_is_learned(alone: tuple[Any, Any], tmp_path: Path) -> None:
    _, epochs = fit_sequences(Home(str(tmp_path)), "long", circles(), replace(SCHEDULE, epochs=12, patience=12), ONE)
    assert epochs[-1]["ndcg@10"] > 0.9 > epochs[0]["ndcg@10"]
    assert epochs[-1]["loss"] < epochs[0]["loss"]


def test_it_begins_at_the_vectors_it_is_given(alone: tuple[Any, Any], tmp_path: Path) -> None:
    tower = alone[0]
    start = tower.vectors().detach().numpy()
    still = replace(SCHEDULE, epochs=1, learning_rate=0.0)
    begun, _ = fit_sequences(Home(str(tmp_path)), "begun", replace(circles(), start=start), still, ONE)
    np.testing.assert_allclose(begun.vectors().detach(), start, atol=0.01)


def test_it_continues_from_a_tower_without_a_validation_set(alone: tuple[Any, Any], tmp_path: Path) -> None:
    weights = alone[0].state_dict()
    still = replace(SCHEDULE, epochs=2, patience=1, learning_rate=0.0)
    inputs = replace(circles(), validation=None, weights=weights)
    again, epochs = fit_sequences(Home(str(tmp_path)), "again", inputs, still, ONE)
    assert len(epochs) == 2
    for name, value in again.state_dict().items():
        np.testing.assert_array_equal(value, weights[name])


@pytest.mark.slow
def test_two_workers_learn_what_one_does_from_the_same_batches(alone: tuple[Any, Any], tmp_path: Path) -> None:
    tower, epochs = fit_sequences(Home(str(tmp_path)), "two", circles(), SCHEDULE, Resources(workers=2, threads=1))
    np.testing.assert_allclose([e["ndcg@10"] for e in epochs], [e["ndcg@10"] for e in alone[1]], atol=0.01)
    for one, other in zip(tower.parameters(), alone[0].parameters(), strict=True):
        np.testing.assert_allclose(one.detach(), other.detach(), atol=5e-3)


@pytest.mark.slow
def test_a_lost_worker_changes_nothing(alone: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLL, "2")  # so that the run has not ended when the worker is killed
    killed: list[psutil.Process] = []

    def kill_one(epoch: dict[str, Any]) -> None:
        if not killed:
            own = psutil.Process().children(recursive=True)
            killed.append(next(p for p in own if "RayTrainWorker" in " ".join(p.cmdline())))
            killed[0].kill()

    tower, _ = fit_sequences(Home(str(tmp_path)), "killed", circles(), SCHEDULE, ONE, kill_one)
    assert killed
    for one, other in zip(tower.parameters(), alone[0].parameters(), strict=True):
        np.testing.assert_array_equal(one.detach(), other.detach())


def test_training_stops_when_validation_no_longer_gains(ray_cluster: None, tmp_path: Path) -> None:
    still = replace(SCHEDULE, epochs=50, patience=2, learning_rate=0.0)
    _, epochs = fit_sequences(Home(str(tmp_path)), "still", circles(), still, ONE)
    assert len(epochs) == 5  # one that is the best, two without a gain, and two at the lower rate


def test_a_plateau_at_a_high_rate_lowers_it_and_one_at_a_low_rate_is_the_end() -> None:
    limits = replace(SCHEDULE, epochs=100, patience=2)
    state = {"epoch": 10, "best": 0.5, "since": 1, "seconds": 0.0, "pace": 1.0, "progress": 0.1}
    cooled = judged(state, "ndcg@10", 0.4, 1.0, limits)
    assert (cooled["progress"], cooled["since"]) == (COOLING, 0)
    assert not is_over(cooled, limits)
    over = judged(cooled | {"since": 1}, "ndcg@10", 0.4, 1.0, limits)
    assert is_over(over, limits)
    gained = judged(state, "ndcg@10", 0.6, 1.0, limits)
    assert gained["progress"] < 0.2
    assert gained["since"] == 0


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1.0, 60.0), min_size=100, max_size=100), st.integers(1, 60), st.floats(30.0, 900.0))
def test_the_rate_has_come_down_when_the_epochs_or_the_time_are_spent_whatever_the_pace(
    paces: list[float], epochs: int, seconds: float
) -> None:
    limits = replace(SCHEDULE, epochs=epochs, seconds=seconds, patience=1_000)
    state = {"epoch": 0, "best": 0.0, "since": 0, "seconds": 0.0, "pace": 0.0, "progress": 0.0}
    for pace in paces:
        before, after = progress(state, limits)
        assert 0 <= before == state["progress"] < after <= 1
        state = judged(state, "ndcg@10", 0.1, pace, limits)
        if is_over(state, limits):
            break
    assert is_over(state, limits)
    assert rate(state["progress"]) == pytest.approx(0.05)
    assert state["epoch"] <= epochs
    assert state["seconds"] <= seconds + 2 * 60.0


def test_without_a_bound_in_time_every_epoch_has_the_same_share() -> None:
    state = {"epoch": 3, "best": 0.0, "since": 0, "seconds": 50.0, "pace": 9.0, "progress": 0.3}
    assert progress(state, replace(SCHEDULE, epochs=10)) == (0.3, pytest.approx(0.4))


@pytest.mark.slow
def test_factors_find_the_kinds_and_begin_at_given_vectors(ray_cluster: None, tmp_path: Path) -> None:
    inputs = kinds()
    tower, epochs = fit_pairs(Home(str(tmp_path)), "cold", inputs, PAIRS, ONE)
    assert epochs[-1]["ndcg@20"] > 0.6 > 2 * epochs[0]["ndcg@20"]
    start = (tower.user_vectors(), tower.item_vectors())
    _, warm = fit_pairs(Home(str(tmp_path)), "warm", replace(inputs, start=start), replace(PAIRS, epochs=1), ONE)
    assert warm[0]["ndcg@20"] > epochs[0]["ndcg@20"]


def test_nothing_to_learn_from_is_said_before_anything_starts(tmp_path: Path) -> None:
    inputs = circles()
    short = replace(inputs, train=Histories.of([[1], [2]], ITEMS))
    with pytest.raises(DataError, match="None of 2 users had two items"):
        fit_sequences(Home(str(tmp_path)), "x", short, SCHEDULE, ONE)
    no_users = NextItems(histories=Histories.of([], ITEMS), targets=np.empty(0, np.int64))
    with pytest.raises(DataError, match="validation split is empty"):
        fit_sequences(Home(str(tmp_path)), "x", replace(inputs, validation=no_users), SCHEDULE, ONE)


def test_a_checkpoint_of_another_vocabulary_is_refused_with_what_differs() -> None:
    older = SequentialTower(replace(SPEC, items=ITEMS - 3))
    with pytest.raises(DataError, match=r"'table\.weight' has shape \(17, 16\), the tower's is \(20, 16\)"):
        check_shapes(SequentialTower(SPEC), older.state_dict())
