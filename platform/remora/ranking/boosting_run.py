"""Boosting on Ray Train: groups whole on one worker, checkpoints, all objectives in one run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
from remora.ranking.boosting import VALIDATION, BoostedTrees, Config, History, SlateRows, fit_trees

CHECKPOINT_EVERY_ROUNDS = 50
TRAIN = "train"
LABEL = "label."


def boost(
    run: TrainingRun, configs: Mapping[str, Config], train: SlateRows, validation: SlateRows
) -> dict[str, BoostedTrees]:
    """Fit one objective after another in one run of Ray Train. A run that was cut off continues from its last
    checkpoint.

    The rounds are those that were best on ``validation``; with a refit as many are then learned from both together, for
    the newest events teach most. Every worker reads the stream and keeps the groups that are its own, so no group is
    ever split; memory per worker is its share of the rows.
    """
    with followed(_each_round_once(lambda values: run.on_report(values["part"], values))) as callback:
        result = XGBoostTrainer(
            _loop,
            train_loop_config={"configs": dict(configs)},
            datasets={TRAIN: dataset(train), VALIDATION: dataset(validation)},
            dataset_config=ray.train.DataConfig(datasets_to_split=[]),
            scaling_config=ray.train.ScalingConfig(num_workers=run.workers),
            run_config=run_config(run.home, RANKING, run.version, callback=callback, max_failures=run.max_failures),
        ).fit()
    assert result.checkpoint is not None
    return _Fit.of(result.checkpoint).finished


def _each_round_once(report: Callable[[Report], None]) -> Callable[[Report], None]:
    """The last report of an objective is of the round of a checkpoint where boosting stops there."""
    last = ("", 0)

    def once(values: Report) -> None:
        nonlocal last
        if (at := (values["part"], int(values["round"]))) != last:
            last = at
            report(values)

    return once


def _loop(given: dict[str, Any]) -> None:
    """One worker."""
    configs: dict[str, Config] = given["configs"]
    context = ray.train.get_context()
    own = (context.get_world_rank(), context.get_world_size())
    train, validation = (_own_rows(ray.train.get_dataset_shard(name), *own) for name in (TRAIN, VALIDATION))
    fit = _Fit.of(ray.train.get_checkpoint())
    for name, config in configs.items():
        if name in fit.finished:
            continue
        begun, fit.begun = fit.begun, None
        checkpoints = _Checkpoints(begun.history if begun else (), config, name, fit)
        fit.finished[name] = fit_trees(
            config,
            train.of(name, config.head),
            validation.of(name, config.head),
            checkpoints,
            begun.chosen if begun else None,
        )
        fit.report(name, config, fit.finished[name])


def dataset(rows: SlateRows, blocks: int = 8) -> ray.data.Dataset:
    """The rows as a Ray Dataset of ``blocks`` blocks: row, group, count, features (a list of F), and a label for
    each objective."""
    table = pa.table(
        {
            "row": np.arange(len(rows.groups)),
            "group": rows.groups,
            "count": rows.counts,
            "features": pa.FixedSizeListArray.from_arrays(rows.features.ravel(), rows.features.shape[1]),
            **{f"{LABEL}{name}": label for name, label in rows.labels.items()},
        }
    )
    # Without rows there is still one block, which carries the types of the columns.
    size = max(1, -(-len(table) // blocks))
    return ray.data.from_arrow([table.slice(start, size) for start in range(0, max(len(table), 1), size)])


def _own_rows(shard: Any, rank: int, size: int) -> SlateRows:
    """The groups of this worker in their order, which the stream does not keep."""
    parts: list[pa.Table] = []
    for batch in shard.iter_batches(batch_format="pyarrow", batch_size=None):
        parts.append(batch.filter(pa.array(batch["group"].to_numpy() % size == rank)))
    table = pa.concat_tables(parts).sort_by("row")
    labels = {name.removeprefix(LABEL): table[name].to_numpy() for name in table.column_names if name.startswith(LABEL)}
    groups, counts = table["group"].to_numpy(), table["count"].to_numpy()
    return SlateRows(features=_matrix(table["features"]), labels=labels, groups=groups, counts=counts)


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    chunks = [np.asarray(c.flatten()).reshape(len(c), -1) for c in column.chunks if len(c)]
    return np.concatenate(chunks) if chunks else np.empty((0, column.type.list_size), np.float32)


@dataclass
class _Fit:
    """How far a run is: the objectives that are ``finished``, and the trees so far of the one that is not."""

    finished: dict[str, BoostedTrees] = field(default_factory=dict)
    begun: BoostedTrees | None = None

    @classmethod
    def of(cls, checkpoint: ray.train.Checkpoint | None) -> _Fit:
        """What :meth:`report` kept, when the run was cut off."""
        if checkpoint is None:
            return cls()
        found = cls()
        with checkpoint.as_directory() as folder:
            for name, state in checkpoint.get_metadata().items():
                chosen, booster = (xgboost.Booster(model_file=str(Path(folder) / of(name))) for of in (_chosen, _kept))
                trees = BoostedTrees(chosen=chosen, booster=booster, history=tuple(state["history"]))
                if state["finished"]:
                    found.finished[name] = trees
                else:
                    found.begun = trees
        return found

    def report(self, name: str, config: Config, trees: BoostedTrees) -> None:
        """How the objective ``name`` goes, with all trees so far; a barrier of the workers."""
        metrics = {
            "part": name,
            "round": len(trees.history),
            "rounds": config.trees.num_boost_round,
            "metric": config.head.metric,
            config.head.metric: config.head.best(trees.history),
        }
        if ray.train.get_context().get_world_rank() != 0:
            ray.train.report(metrics)
            return
        every = self.finished | {name: trees}
        with tempfile.TemporaryDirectory() as folder:
            for objective, one in every.items():
                one.chosen.save_model(str(Path(folder) / _chosen(objective)))
                one.booster.save_model(str(Path(folder) / _kept(objective)))
            checkpoint = ray.train.Checkpoint.from_directory(folder)
            checkpoint.set_metadata(
                {n: {"history": one.history, "finished": n in self.finished} for n, one in every.items()}
            )
            ray.train.report(metrics, checkpoint=checkpoint)


def _chosen(objective: str) -> str:
    return f"{objective}.chosen.ubj"


def _kept(objective: str) -> str:
    return f"{objective}.kept.ubj"


class _Checkpoints(History):
    """Every so many rounds the trees so far are kept; a report is a barrier, so not more often."""

    def __init__(self, values: Sequence[float], config: Config, name: str, fit: _Fit) -> None:
        super().__init__(values, config)
        self.name, self.fit = name, fit

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:
        super().after_iteration(model, epoch, evals_log)
        if len(self.values) % CHECKPOINT_EVERY_ROUNDS == 0:
            so_far = BoostedTrees(chosen=model, booster=model, history=tuple(self.values))
            self.fit.report(self.name, self.config, so_far)
        return False
