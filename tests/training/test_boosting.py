from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
import xgboost
from sklearn.metrics import ndcg_score

from remora.contracts.home import Home
from remora.settings import RankingSettings
from remora.training import boosting
from remora.training.boosting import Groups, boost

pytestmark = pytest.mark.usefixtures("ray_cluster")


def groups(count: int, seed: int) -> Groups:
    """Groups of ten rows; the label depends on the first feature and, with the second, crosswise."""
    draw = np.random.default_rng(seed)
    features = draw.normal(size=(count * 10, 4)).astype(np.float32)
    value = features[:, 0] + features[:, 1] * features[:, 2]
    numbers = np.repeat(np.arange(count), 10)
    best = value.reshape(count, 10) >= np.sort(value.reshape(count, 10), axis=1)[:, -2:-1]
    return Groups(features=features, labels=best.ravel().astype(np.float32), groups=numbers)


def settings(**changes: object) -> RankingSettings:
    chosen = {"rounds": 60, "early_stopping_rounds": 60, "subsample": 1, "colsample_bytree": 1}
    return RankingSettings(**chosen | changes)  # type: ignore[arg-type]


def ndcg(booster: xgboost.Booster, held_out: Groups) -> float:
    scores = booster.inplace_predict(held_out.features)
    return float(ndcg_score(held_out.labels.reshape(-1, 10), scores.reshape(-1, 10), k=10))


def test_two_workers_learn_to_rank_and_say_what_scikit_learn_says(home_folder: Path) -> None:
    held_out = groups(60, seed=2)
    done = boost(
        settings(workers=2, refit=False), Home(str(home_folder)), "two", train=groups(300, seed=1), validation=held_out
    )
    assert ndcg(done.booster, held_out) > 0.85
    assert max(done.history) == pytest.approx(ndcg(done.booster, held_out), abs=1e-3)


def test_with_refit_as_many_rounds_are_learned_from_both_windows(home_folder: Path) -> None:
    done = boost(
        settings(workers=1, rounds=20),
        Home(str(home_folder)),
        "refit",
        train=groups(60, seed=1),
        validation=groups(60, seed=2),
    )
    assert done.booster.num_boosted_rounds() == int(np.argmax(done.history)) + 1
    assert ndcg(done.booster, groups(60, seed=2)) > max(done.history)


def test_a_run_whose_worker_is_killed_ends_as_if_nothing_had_happened(home_folder: Path) -> None:
    home, train, held_out = Home(str(home_folder)), groups(100, seed=1), groups(30, seed=2)
    chosen = settings(workers=1, rounds=600, early_stopping_rounds=600)
    whole = boost(chosen, home, "whole", train=train, validation=held_out)

    killed: list[int] = []
    watcher = threading.Thread(
        target=_kill_the_worker_after_a_checkpoint, args=(home_folder / "training" / "ranking-cut", killed)
    )
    watcher.start()
    resumed = boost(chosen, home, "cut", train=train, validation=held_out)
    watcher.join()

    assert killed, "the run was never cut off"
    assert len(resumed.history) == len(whole.history) == 600
    assert resumed.history == pytest.approx(whole.history, abs=1e-6)


def _kill_the_worker_after_a_checkpoint(run: Path, killed: list[int]) -> None:
    """End the worker process of this session's cluster with SIGKILL once its first checkpoint is on disk."""
    wait = threading.Event()
    for _ in range(6000):
        if any(run.glob("checkpoint_*/model.ubj")):
            break
        wait.wait(0.01)
    for process in psutil.Process().children(recursive=True):
        if "RayTrainWorker" in " ".join(process.cmdline()):
            process.kill()
            killed.append(process.pid)


def test_no_group_is_split_between_workers() -> None:
    class Shard:
        def iter_batches(self, **_: object):  # type: ignore[no-untyped-def]
            table = groups(7, seed=3)
            yield from table.dataset(blocks=9).iter_batches(batch_format="pyarrow", batch_size=None)

    parts = [boosting._own_groups(Shard(), rank, 3) for rank in range(3)]
    seen = [set(part.groups.tolist()) for part in parts]
    assert set.union(*seen) == set(range(7))
    assert sum(map(len, seen)) == 7
    assert all((np.bincount(part.groups)[part.groups] == 10).all() for part in parts)
