from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import xgboost
from sklearn.metrics import log_loss, ndcg_score
from tests.datasets.worlds import settings_for

from remora.core.home import Home
from remora.fitting.training_run import TrainingRun
from remora.ranking import boosting_run
from remora.ranking.boosting import (
    LISTWISE,
    PROBABILITY,
    BoostedTrees,
    Config,
    Groups,
    Head,
    SlateRows,
    boost_in_process,
)
from remora.ranking.boosting_run import boost, dataset
from remora.ranking.models.trees import Trees

pytestmark = pytest.mark.usefixtures("ray_cluster")


def groups(count: int, seed: int) -> Groups:
    """Groups of ten rows; the label depends on the first feature and, with the second, crosswise."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count * 10, 4)).astype(np.float32)
    value = features[:, 0] + features[:, 1] * features[:, 2]
    numbers = np.repeat(np.arange(count), 10)
    best = value.reshape(count, 10) >= np.sort(value.reshape(count, 10), axis=1)[:, -2:-1]
    counts = np.ones(count * 10, np.float32)
    return Groups(features=features, labels=best.ravel().astype(np.float32), groups=numbers, counts=counts)


def config(head: Head = LISTWISE, *, refit: bool = True, **trees: Any) -> Config:
    chosen = {"num_boost_round": 60, "early_stopping_rounds": 60, "subsample": 1, "colsample_bytree": 1}
    made_of = Trees.Config(**chosen | trees)
    return Config(trees=made_of, head=head, kinds=("q",) * 4, monotone=(0,) * 4, refit=refit, seed=7)


def boosted(
    config: Config, home: Path, name: str, train: Groups, validation: Groups, *, workers: int = 1
) -> BoostedTrees:
    return boost(run_of(home, name, workers), {"liked": config}, rows(train), rows(validation))["liked"]


def run_of(home: Path, name: str, workers: int = 1) -> TrainingRun:
    return TrainingRun(home=Home(str(home)), version=name, workers=workers, max_failures=2)


def rows(of: Groups, **labels: np.ndarray) -> SlateRows:
    """With the groups' own label as that of the objective ``liked``."""
    return SlateRows(features=of.features, labels={"liked": of.labels, **labels}, groups=of.groups, counts=of.counts)


def ndcg(booster: xgboost.Booster, held_out: Groups) -> float:
    scores = booster.inplace_predict(held_out.features)
    return float(ndcg_score(held_out.labels.reshape(-1, 10), scores.reshape(-1, 10), k=10))


def shown(count: int, seed: int, size: int = 10) -> tuple[Groups, np.ndarray]:
    """Slates that were ordered by a feature without relevance, the second, and clicked by place: the n-th is looked at
    with probability 1 / n. And how relevant each candidate is."""
    draw = np.random.default_rng(seed)
    relevant = draw.integers(0, 3, (count, size))
    features = draw.normal(size=(count, size, 2))
    features[:, :, 0] = relevant + 0.7 * features[:, :, 0]
    order = np.argsort(-features[:, :, 1], axis=1)
    features, relevant = np.take_along_axis(features, order[:, :, None], 1), np.take_along_axis(relevant, order, 1)
    looked_at = draw.random((count, size)) < 1 / np.arange(1, size + 1)
    clicked = looked_at & (draw.random((count, size)) < np.array([0.05, 0.3, 0.9])[relevant])
    some = clicked.any(axis=1)
    numbers = np.repeat(np.arange(some.sum()), size)
    found = Groups(
        features=features[some].reshape(-1, 2).astype(np.float32),
        labels=clicked[some].ravel().astype(np.float32),
        groups=numbers,
        counts=np.ones(len(numbers), np.float32),
    )
    return found, relevant[some]


def test_debiased_trees_go_by_relevance_where_others_go_by_place() -> None:
    """Without a choice of rounds, which goes by clicks in either case."""
    for seed in (1, 2, 3, 4, 5):
        train, (held_out, relevant) = shown(3_000, seed)[0], shown(800, seed + 10)
        quality = []
        for debiasing in (False, True):
            trees = Trees.Config(position_debiasing=debiasing, subsample=1, colsample_bytree=1, max_depth=3)
            config = Config(trees=trees, head=LISTWISE, kinds=("q", "q"), monotone=(0, 0), refit=False, seed=7)
            scores = xgboost.train(config.parameters, config.matrix(train), 40).inplace_predict(held_out.features)
            quality.append(ndcg_score(relevant, scores.reshape(relevant.shape)))
        assert quality[1] > quality[0] + 0.005, seed


def test_debiasing_needs_what_was_shown() -> None:
    with pytest.raises(ValueError, match=r"trees: position_debiasing needs ranking\.candidates: logged"):
        settings_for(Path("/nowhere"), ranking={"models": {"trees": {"position_debiasing": True}}})


def test_two_workers_learn_to_rank_and_say_what_scikit_learn_says(home_folder: Path) -> None:
    held_out = groups(60, seed=2)
    train = groups(300, seed=1)
    # Of the other objective one of the workers has no group to learn from.
    train_rows, held_rows = (rows(of, bought=of.labels * (of.groups % 2)) for of in (train, held_out))
    configs = {name: config(refit=False) for name in ("liked", "bought")}
    done = boost(run_of(home_folder, "two", 2), configs, train_rows, held_rows)
    assert ndcg(done["liked"].booster, held_out) > 0.85
    assert max(done["liked"].history) == pytest.approx(ndcg(done["liked"].booster, held_out), abs=1e-3)
    positive = held_rows.of("bought", LISTWISE)
    assert set(positive.groups.tolist()) == set(range(1, 60, 2))
    assert max(done["bought"].history) == pytest.approx(ndcg(done["bought"].booster, positive), abs=1e-3)


def test_with_refit_as_many_rounds_are_learned_from_both_windows(home_folder: Path) -> None:
    done = boosted(config(num_boost_round=20), home_folder, "refit", groups(60, seed=1), groups(60, seed=2))
    assert done.booster.num_boosted_rounds() == done.chosen.num_boosted_rounds() == int(np.argmax(done.history)) + 1
    assert ndcg(done.chosen, groups(60, seed=2)) == pytest.approx(max(done.history), abs=1e-3)
    assert ndcg(done.booster, groups(60, seed=2)) > max(done.history)


def test_in_one_process_it_is_the_same_as_with_one_worker(home_folder: Path) -> None:
    train, held_out, chosen = groups(60, seed=1), groups(60, seed=2), config(num_boost_round=20)
    apart = boosted(chosen, home_folder, "apart", train, held_out)
    here = boost_in_process(chosen, train, held_out)
    assert here.history == pytest.approx(apart.history)
    np.testing.assert_allclose(
        here.booster.inplace_predict(held_out.features), apart.booster.inplace_predict(held_out.features), rtol=1e-5
    )


def test_a_pointwise_head_says_probabilities_and_rows_count_what_they_are_given(home_folder: Path) -> None:
    train, held_out = groups(300, seed=1), groups(60, seed=2)
    counts = np.where(train.labels > 0, 1.0, 4.0).astype(np.float32)  # one negative of four was kept
    chosen = config(PROBABILITY, refit=False, num_boost_round=120)
    plain = boost_in_process(chosen, train, held_out)
    counted = boost_in_process(chosen, replace(train, counts=counts), held_out)
    said = plain.chosen.inplace_predict(held_out.features)
    assert plain.chosen.inplace_predict(train.features).mean() == pytest.approx(train.labels.mean(), abs=0.01)
    assert PROBABILITY.best(plain.history) == pytest.approx(log_loss(held_out.labels, said), abs=1e-3)
    weighed = counted.chosen.inplace_predict(train.features)
    assert np.average(weighed, weights=counts) == pytest.approx(np.average(train.labels, weights=counts), abs=0.01)


def test_constraints_hold_and_categories_are_split_as_sets(home_folder: Path) -> None:
    train, held_out = groups(200, seed=1), groups(50, seed=2)
    done = boost_in_process(replace(config(refit=False), monotone=(1, 0, 0, 0)), train, held_out)
    rows = np.repeat(held_out.features[:50], 9, axis=0)
    rows[:, 0] = np.tile(np.linspace(-3, 3, 9), 50)
    assert (np.diff(done.chosen.inplace_predict(rows).reshape(50, 9), axis=1) >= 0).all()

    draw = np.random.default_rng(5)
    places = draw.integers(0, 12, 4_000).astype(np.float32)
    odd = Groups(
        features=np.stack([places, draw.normal(size=4_000)], axis=1).astype(np.float32),
        labels=(places % 2).astype(np.float32),
        groups=np.repeat(np.arange(400), 10),
        counts=np.ones(4_000, np.float32),
    )
    stump = config(PROBABILITY, refit=False, num_boost_round=1, max_depth=1, min_child_weight=0)
    apart = boost_in_process(replace(stump, kinds=("c", "q"), monotone=(0, 0)), odd, odd)
    said = apart.chosen.inplace_predict(np.stack([np.arange(13.0), np.zeros(13)], axis=1).astype(np.float32))
    assert len(set(said[:12:2].tolist())) == len(set(said[1:12:2].tolist())) == 1  # no threshold could part them
    assert said[1] > said[0]


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_ends_as_if_nothing_had_happened(home_folder: Path) -> None:
    train, held_out = (rows(of, bought=of.labels) for of in (groups(100, seed=1), groups(30, seed=2)))
    configs = {"bought": config(num_boost_round=10), "liked": config(num_boost_round=600, early_stopping_rounds=600)}
    whole = boost(run_of(home_folder, "whole"), configs, train, held_out)

    killed: list[int] = []
    watcher = threading.Thread(
        target=_kill_the_worker_after_a_checkpoint, args=(home_folder / "training" / "ranking-cut", killed)
    )
    watcher.start()
    resumed = boost(run_of(home_folder, "cut"), configs, train, held_out)
    watcher.join()

    assert killed, "the run was never cut off"
    assert len(resumed["liked"].history) == len(whole["liked"].history) == 600
    for name in configs:
        assert resumed[name].history == pytest.approx(whole[name].history, abs=1e-6)


def _kill_the_worker_after_a_checkpoint(run: Path, killed: list[int]) -> None:
    """End the worker process of this session's cluster with SIGKILL once its first checkpoint is on disk."""
    wait = threading.Event()
    for _ in range(6000):
        if any(run.glob("checkpoint_*/liked.chosen.ubj")):
            break
        wait.wait(0.01)
    for process in psutil.Process().children(recursive=True):
        if "RayTrainWorker" in " ".join(process.cmdline()):
            process.kill()
            killed.append(process.pid)


def test_no_group_is_split_between_workers() -> None:
    class Shard:
        def iter_batches(self, **_: object):  # type: ignore[no-untyped-def]
            yield from dataset(rows(groups(7, seed=3)), blocks=9).iter_batches(batch_format="pyarrow", batch_size=None)

    parts = [boosting_run._own_rows(Shard(), rank, 3) for rank in range(3)]
    seen = [set(part.groups.tolist()) for part in parts]
    assert set.union(*seen) == set(range(7))
    assert sum(map(len, seen)) == 7
    assert all((np.bincount(part.groups)[part.groups] == 10).all() for part in parts)


def test_a_round_is_reported_once_though_boosting_stops_at_a_checkpoint() -> None:
    seen: list[dict[str, Any]] = []
    report = boosting_run._each_round_once(seen.append)
    for part, step in (("liked", 50), ("liked", 100), ("liked", 100), ("bought", 100)):
        report({"part": part, "round": step})
    assert [(values["part"], values["round"]) for values in seen] == [("liked", 50), ("liked", 100), ("bought", 100)]
