"""Gradient-boosted trees on Ray Train: groups whole on one worker, checkpoints, early stopping."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray.data
import ray.train
import xgboost
from ray.train.xgboost import XGBoostTrainer

from remora.fitting.progress import Report, followed
from remora.fitting.runs import run_config
from remora.fitting.training_run import RANKING, TrainingRun
from remora.ranking.models.trees import Trees

MODEL, AGAIN = "model.ubj", "again.ubj"
CHECKPOINT_EVERY_ROUNDS = 50
VALIDATION = "validation"


class Head(NamedTuple):
    """How XGBoost learns a label, and by what it stops."""

    objective: str
    metric: str
    larger_is_better: bool

    def best(self, history: Sequence[float]) -> float:
        """The metric of the best round."""
        return max(history) if self.larger_is_better else min(history)


LISTWISE = Head("rank:ndcg", "ndcg@10", True)
PROBABILITY = Head("binary:logistic", "logloss", False)
AMOUNT = Head("reg:squarederror", "rmse", False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Rows of ranked groups: ``features`` (n, F) float32, ``labels`` (n,) gains >= 0, ``groups`` (n,) int64; what each
    row counts (n,), which the listwise head leaves unread."""

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float32]

    def dataset(self, blocks: int = 8) -> ray.data.Dataset:
        """The rows as a Ray Dataset of ``blocks`` blocks: row, group, label, count and features (a list of F)."""
        table = pa.table(
            {
                "row": np.arange(len(self.groups)),
                "group": self.groups,
                "label": self.labels,
                "count": self.counts,
                "features": pa.FixedSizeListArray.from_arrays(self.features.ravel(), self.features.shape[1]),
            }
        )
        # Without rows there is still one block, which carries the types of the columns.
        size = max(1, -(-len(table) // blocks))
        return ray.data.from_arrow([table.slice(start, size) for start in range(0, max(len(table), 1), size)])


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one objective is boosted; the listwise head (LambdaMART: Burges, From RankNet to LambdaRank to
    LambdaMART, 2010) has linear gains.

    ``kinds`` (F) are ``q`` for numbers and ``c`` for categories, ``monotone`` (F) 1, -1 or 0.
    """

    trees: Trees.Config
    head: Head
    kinds: tuple[str, ...]
    monotone: tuple[int, ...]
    refit: bool
    seed: int

    @property
    def parameters(self) -> dict[str, Any]:
        """As XGBoost names them."""
        chosen = self.trees
        names = {"max_depth", "learning_rate", "min_child_weight", "subsample", "colsample_bytree"}
        listwise = {
            "ndcg_exp_gain": False,
            "lambdarank_pair_method": chosen.pair_method,
            "lambdarank_num_pair_per_sample": chosen.pairs_per_sample,
            "lambdarank_unbiased": chosen.position_debiasing,
        }
        return {
            "objective": self.head.objective,
            "eval_metric": self.head.metric,
            "tree_method": "hist",
            "nthread": 1,
            "seed": self.seed,
            **({"monotone_constraints": self.monotone} if any(self.monotone) else {}),
            **(listwise if self.head == LISTWISE else {}),
            **chosen.model_dump(include=names),
        }

    def matrix(self, groups: Groups, ref: xgboost.DMatrix | None = None) -> xgboost.QuantileDMatrix:
        """The groups (n, F) as XGBoost reads them; bins are those of ``ref`` where it is given."""
        by_group = {"qid": groups.groups} if self.head == LISTWISE else {"weight": groups.counts}
        kinds = list(self.kinds) if self.trees.categorical else ["q"] * len(self.kinds)
        return xgboost.QuantileDMatrix(
            groups.features, label=groups.labels, ref=ref, feature_types=kinds, enable_categorical=True, **by_group
        )


@dataclass(frozen=True, kw_only=True)
class BoostedTrees:
    """The trees of the rounds that were best on validation; as many from both windows, or the same without a refit; and
    the head's metric on the validation groups after each round of those that had not seen them."""

    chosen: xgboost.Booster
    booster: xgboost.Booster
    history: tuple[float, ...]


def boost(run: TrainingRun, *, config: Config, train: Groups, validation: Groups) -> BoostedTrees:
    """Fit one objective on Ray Train. A run that was cut off continues from its last checkpoint.

    The rounds are those that were best on ``validation``; with a refit as many are then learned from both together, for
    the newest events teach most. Every worker reads the stream and keeps the groups that are its own, so no group is
    ever split; memory per worker is its share of the rows.
    """
    with followed(_each_round_once(run.report)) as callback:
        result = XGBoostTrainer(
            _loop,
            train_loop_config={"config": config},
            datasets={"train": train.dataset(), VALIDATION: validation.dataset()},
            dataset_config=ray.train.DataConfig(datasets_to_split=[]),
            scaling_config=ray.train.ScalingConfig(num_workers=run.workers),
            run_config=run_config(run.home, RANKING, run.version, callback=callback, max_failures=run.max_failures),
        ).fit()
    assert result.checkpoint is not None
    assert result.metrics is not None
    with result.checkpoint.as_directory() as folder:
        chosen, booster = (xgboost.Booster(model_file=str(Path(folder) / file)) for file in (MODEL, AGAIN))
    return BoostedTrees(chosen=chosen, booster=booster, history=tuple(result.metrics["history"]))


def _each_round_once(report: Callable[[Report], None]) -> Callable[[Report], None]:
    """The last report is of the round of a checkpoint where boosting stops there."""
    seen: list[int] = []

    def once(values: Report) -> None:
        if values["round"] not in seen[-1:]:
            seen.append(int(values["round"]))
            report(values)

    return once


def _loop(given: dict[str, Any]) -> None:
    """One worker."""
    config: Config = given["config"]
    context = ray.train.get_context()
    own = (context.get_world_rank(), context.get_world_size())
    fit = _own_groups(ray.train.get_dataset_shard("train"), *own)
    validation = _own_groups(ray.train.get_dataset_shard(VALIDATION), *own)
    begun, history = _resumed()
    found = _fitted(config, fit, validation, _Checkpoints(history, config), begun)
    _report(found.chosen, list(found.history), config, found.booster)


def boost_in_process(config: Config, train: Groups, validation: Groups) -> BoostedTrees:
    """The same in this process, from the beginning: for many small fits, each of which would wait for its workers."""
    return _fitted(config, train, validation, _History([], config))


def _fitted(
    config: Config, fit: Groups, validation: Groups, history: _History, begun: xgboost.Booster | None = None
) -> BoostedTrees:
    matrix = config.matrix(fit)
    booster = xgboost.train(
        config.parameters,
        matrix,
        num_boost_round=config.trees.num_boost_round - (begun.num_boosted_rounds() if begun else 0),
        evals=[(config.matrix(validation, ref=matrix), VALIDATION)],
        xgb_model=begun,
        verbose_eval=False,
        callbacks=[
            history,
            xgboost.callback.EarlyStopping(
                config.trees.early_stopping_rounds,
                metric_name=config.head.metric,
                data_name=VALIDATION,
                maximize=config.head.larger_is_better,
            ),
        ],
    )
    # XGBoost keeps the rounds after the best one, which early stopping waited through.
    best = again = booster[: booster.best_iteration + 1]
    if config.refit:
        again = xgboost.train(
            config.parameters, config.matrix(_both(fit, validation)), num_boost_round=best.num_boosted_rounds()
        )
    return BoostedTrees(chosen=best, booster=again, history=tuple(history.values))


def _both(first: Groups, then: Groups) -> Groups:
    """The groups of ``then`` after those of ``first``, numbered on from them."""
    return Groups(
        features=np.concatenate([first.features, then.features]),
        labels=np.concatenate([first.labels, then.labels]),
        groups=np.concatenate([first.groups, then.groups + first.groups.max(initial=-1) + 1]),
        counts=np.concatenate([first.counts, then.counts]),
    )


def _own_groups(shard: Any, rank: int, size: int) -> Groups:
    """The groups of this worker in their order, which the stream does not keep."""
    parts: list[tuple[Any, ...]] = []
    for batch in shard.iter_batches(batch_format="pyarrow", batch_size=None):
        groups = batch["group"].to_numpy()
        own = groups % size == rank
        named = (batch[name].to_numpy()[own] for name in ("row", "label", "group", "count"))
        parts.append((_matrix(batch["features"])[own], *named))
    features, positions, labels, groups, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(positions)
    return Groups(features=features[order], labels=labels[order], groups=groups[order], counts=counts[order])


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


class _History(xgboost.callback.TrainingCallback):
    """The metric on validation after each round."""

    def __init__(self, values: list[float], config: Config) -> None:
        self.values, self.config = list(values), config

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:
        self.values.append(float(evals_log[VALIDATION][self.config.head.metric][-1]))
        return False


class _Checkpoints(_History):
    """Every so many rounds the trees so far are kept; a report is a barrier, so not more often."""

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:
        super().after_iteration(model, epoch, evals_log)
        if len(self.values) % CHECKPOINT_EVERY_ROUNDS == 0:
            _report(model, self.values, self.config, model)
        return False


def _report(booster: xgboost.Booster, history: list[float], config: Config, again: xgboost.Booster) -> None:
    metrics = {
        "history": history,
        "round": len(history),
        "rounds": config.trees.num_boost_round,
        "metric": config.head.metric,
        config.head.metric: config.head.best(history),
    }
    if ray.train.get_context().get_world_rank() != 0:
        ray.train.report(metrics)
        return
    with tempfile.TemporaryDirectory() as folder:
        booster.save_model(str(Path(folder) / MODEL))
        again.save_model(str(Path(folder) / AGAIN))
        checkpoint = ray.train.Checkpoint.from_directory(folder)
        checkpoint.set_metadata(metrics)
        ray.train.report(metrics, checkpoint=checkpoint)
