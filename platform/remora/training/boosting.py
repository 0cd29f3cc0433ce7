"""Gradient-boosted trees for ranking on Ray Train: groups whole on one worker, checkpoints, early stopping."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray.data
import ray.train
import xgboost
from ray.train.xgboost import XGBoostTrainer

from remora.contracts.home import Home
from remora.settings import RankingSettings
from remora.training.progress import Report, followed
from remora.training.runs import run_config

MODEL = "model.ubj"
CHECKPOINT_EVERY_ROUNDS = 50
VALIDATION = "validation"
METRIC = "ndcg@10"


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Rows of ranked groups: ``features`` (n, F) float32, ``labels`` (n,) gains >= 0, ``groups`` (n,) int64."""

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int64]

    def dataset(self, blocks: int = 8) -> ray.data.Dataset:
        """The same as a Ray Dataset."""
        table = pa.table(
            {
                "group": self.groups,
                "label": self.labels,
                "features": pa.FixedSizeListArray.from_arrays(self.features.ravel(), self.features.shape[1]),
            }
        )
        size = max(1, -(-len(table) // blocks))
        return ray.data.from_arrow([table.slice(start, size) for start in range(0, max(len(table), 1), size)])


@dataclass(frozen=True, kw_only=True)
class Boosted:
    """The trees, and NDCG@10 on the validation groups after each round of those that had not seen them."""

    booster: xgboost.Booster
    history: tuple[float, ...]


def boost(
    settings: RankingSettings,
    home: Home,
    version: str,
    *,
    train: Groups,
    validation: Groups,
    report: Callable[[Report], None] = lambda values: None,
) -> Boosted:
    """Fit ``rank:ndcg`` with linear gains. The run of a version that was cut off goes on from its last checkpoint.

    The rounds are those that were best on ``validation``; with ``settings.refit`` as many are then learned from both
    together, for the newest events teach most. Every worker reads the stream and keeps the groups that are its own, so
    no group is ever split; memory per worker is its share of the rows.
    """
    with followed(report) as callback:
        result = XGBoostTrainer(
            _loop,
            train_loop_config=settings.model_dump(),
            datasets={"train": train.dataset(), VALIDATION: validation.dataset()},
            dataset_config=ray.train.DataConfig(datasets_to_split=[]),
            scaling_config=ray.train.ScalingConfig(num_workers=settings.workers),
            run_config=run_config(home, "ranking", version, callback=callback, max_failures=settings.max_failures),
        ).fit()
    assert result.checkpoint is not None
    assert result.metrics is not None
    with result.checkpoint.as_directory() as folder:
        booster = xgboost.Booster(model_file=str(Path(folder) / MODEL))
    return Boosted(booster=booster, history=tuple(result.metrics["history"]))


def _loop(config: dict[str, Any]) -> None:
    """One worker."""
    context = ray.train.get_context()
    own = (context.get_world_rank(), context.get_world_size())
    fit = _own_groups(ray.train.get_dataset_shard("train"), *own)
    judge = _own_groups(ray.train.get_dataset_shard(VALIDATION), *own)
    matrix = xgboost.QuantileDMatrix(fit.features, label=fit.labels, qid=fit.groups)
    held_out = xgboost.QuantileDMatrix(judge.features, label=judge.labels, qid=judge.groups, ref=matrix)
    begun, history = _resumed()
    checkpoints = _Checkpoints(history, config["rounds"])
    booster = xgboost.train(
        _parameters(config),
        matrix,
        num_boost_round=config["rounds"] - (begun.num_boosted_rounds() if begun else 0),
        evals=[(held_out, VALIDATION)],
        xgb_model=begun,
        verbose_eval=False,
        callbacks=[
            checkpoints,
            xgboost.callback.EarlyStopping(
                config["early_stopping_rounds"], metric_name=METRIC, data_name=VALIDATION, maximize=True
            ),
        ],
    )
    best = booster[: booster.best_iteration + 1]
    if config["refit"]:
        every = _both(fit, judge)
        matrix = xgboost.QuantileDMatrix(every.features, label=every.labels, qid=every.groups)
        best = xgboost.train(_parameters(config), matrix, num_boost_round=best.num_boosted_rounds())
    _report(best, checkpoints.history, config["rounds"])


def _both(first: Groups, then: Groups) -> Groups:
    """The groups of ``then`` after those of ``first``, numbered on from them."""
    return Groups(
        features=np.concatenate([first.features, then.features]),
        labels=np.concatenate([first.labels, then.labels]),
        groups=np.concatenate([first.groups, then.groups + first.groups.max(initial=-1) + 1]),
    )


def _parameters(config: dict[str, Any]) -> dict[str, Any]:
    names = ("max_depth", "learning_rate", "min_child_weight", "subsample", "colsample_bytree", "seed")
    return {
        "objective": "rank:ndcg",
        "ndcg_exp_gain": False,
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": config["pairs_per_sample"],
        "eval_metric": METRIC,
        "tree_method": "hist",
        "nthread": 1,
        **{name: config[name] for name in names},
    }


def _own_groups(shard: Any, rank: int, size: int) -> Groups:
    """The groups of this worker in the order of their numbers."""
    parts: list[tuple[Any, ...]] = []
    for batch in shard.iter_batches(batch_format="pyarrow", batch_size=None):
        groups = batch["group"].to_numpy()
        own = groups % size == rank
        parts.append((_matrix(batch["features"])[own], batch["label"].to_numpy()[own], groups[own]))
    features, labels, groups = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(groups, kind="stable")
    return Groups(features=features[order], labels=labels[order], groups=groups[order])


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    chunks = [np.asarray(c.flatten()).reshape(len(c), -1) for c in column.chunks if len(c)]
    return np.concatenate(chunks) if chunks else np.empty((0, column.type.list_size), np.float32)


def _resumed() -> tuple[xgboost.Booster | None, list[float]]:
    """The last checkpoint's trees and their history, when the run was cut off."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return None, []
    with checkpoint.as_directory() as folder:
        booster = xgboost.Booster(model_file=str(Path(folder) / MODEL))
    return booster, list(checkpoint.get_metadata().get("history", []))


class _Checkpoints(xgboost.callback.TrainingCallback):
    """Every so many rounds the trees so far are kept; a report is a barrier, so not more often."""

    def __init__(self, history: list[float], rounds: int) -> None:
        self.history, self.rounds = list(history), rounds

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:
        self.history.append(float(evals_log[VALIDATION][METRIC][-1]))
        if len(self.history) % CHECKPOINT_EVERY_ROUNDS == 0:
            _report(model, self.history, self.rounds)
        return False


def _report(booster: xgboost.Booster, history: list[float], rounds: int) -> None:
    metrics = {"history": history, "round": len(history), "rounds": rounds, METRIC: max(history)}
    if ray.train.get_context().get_world_rank() != 0:
        ray.train.report(metrics)
        return
    with tempfile.TemporaryDirectory() as folder:
        booster.save_model(str(Path(folder) / MODEL))
        checkpoint = ray.train.Checkpoint.from_directory(folder)
        checkpoint.set_metadata(metrics)
        ray.train.report(metrics, checkpoint=checkpoint)
