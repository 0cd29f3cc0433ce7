"""Fitting a network with Ray Train: the best epoch's weights, and what every epoch reported."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer
from safetensors.torch import load_file
from torch import nn

from remora.contracts.errors import DataError
from remora.contracts.home import Home
from remora.ranking.network.network import RankingNetwork
from remora.retrieval.matrix_factorization import MatrixFactorization
from remora.retrieval.sequential_tower import SequentialTower
from remora.training import matrix_factorization, ranking_network, sequential_tower
from remora.training.checkpoints import TOWER
from remora.training.progress import Report, followed
from remora.training.runs import forget, run_config

NAME = "towers"

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a run of Ray Train may use; ``max_failures`` counts how often a lost worker is replaced."""

    workers: int = 1
    threads: int = 2
    use_gpu: bool = False
    max_failures: int = 3


def fit_sequences(
    home: Home,
    version: str,
    inputs: sequential_tower.SequenceInputs,
    schedule: sequential_tower.SequenceSchedule,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None = None,
) -> tuple[SequentialTower, tuple[Report, ...]]:
    """Train until validation stops gaining. The run ``version`` continues where it was interrupted, if it was.

    Inputs without validation are for a tower whose epochs are known by now, such as one that continues with what was
    held out. DataError without anyone who had two items, or with a validation without users.
    """
    if not (inputs.train.lengths > 1).any():
        raise DataError(
            f"None of {len(inputs.train):,} users had two items, so there is no next item to learn. Give more events."
        )
    if inputs.validation is not None and not len(inputs.validation.targets):
        raise DataError("There is no user to validate on: the validation split is empty.")
    tower = SequentialTower(inputs.spec)
    loop, metric = sequential_tower.train_worker, sequential_tower.NDCG if inputs.validation is not None else None
    return tower, _fill(tower, home, version, loop, metric, inputs, schedule, resources, on_epoch)


def fit_network(
    home: Home,
    version: str,
    inputs: ranking_network.NetworkInputs,
    schedule: ranking_network.NetworkSchedule,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None = None,
) -> tuple[RankingNetwork, tuple[Report, ...]]:
    """As :func:`fit_sequences`, for slates."""
    network = RankingNetwork(inputs.spec)
    loop, metric = ranking_network.train_worker, ranking_network.NDCG if inputs.validation is not None else None
    return network, _fill(network, home, version, loop, metric, inputs, schedule, resources, on_epoch)


def fit_pairs(
    home: Home,
    version: str,
    inputs: matrix_factorization.PairInputs,
    schedule: matrix_factorization.PairSchedule,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None = None,
) -> tuple[MatrixFactorization, tuple[Report, ...]]:
    """As :func:`fit_sequences`, for pairs without order. DataError without pairs or validation."""
    if not len(inputs.train.flat):
        raise DataError(f"None of {len(inputs.train):,} users had anything to learn from. Give more events.")
    if not len(inputs.validation.users):
        raise DataError("There is no user to validate on: the validation split is empty.")
    tower = MatrixFactorization(inputs.spec)
    loop, metric = matrix_factorization.train_worker, matrix_factorization.NDCG
    return tower, _fill(tower, home, version, loop, metric, inputs, schedule, resources, on_epoch)


def _fill(
    tower: nn.Module,
    home: Home,
    version: str,
    loop: Callable[[dict[str, Any]], None],
    metric: str | None,
    inputs: Any,
    schedule: Any,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None,
) -> tuple[Report, ...]:
    """Train elsewhere, load the weights of the epoch that is best by ``metric`` (None: of the last) here, and return
    what every epoch reported."""
    reports: list[Report] = []

    def report(epoch: Report) -> None:
        reports.append(epoch)
        (on_epoch or _log)(epoch | {"metric": metric})

    needs = {"CPU": 1, **({"GPU": 1} if resources.use_gpu else {})}
    with followed(report) as callback:
        result = TorchTrainer(
            loop,
            train_loop_config={"inputs": ray.put(inputs), "schedule": schedule, "threads": resources.threads},
            scaling_config=ScalingConfig(
                num_workers=resources.workers, use_gpu=resources.use_gpu, resources_per_worker=needs
            ),
            run_config=run_config(
                home, NAME, version, callback=callback, max_failures=resources.max_failures, best=metric
            ),
        ).fit()
    best = result.checkpoint if metric is None else result.get_best_checkpoint(metric, "max")
    assert best is not None
    with best.as_directory() as folder:
        tower.load_state_dict(load_file(Path(folder) / TOWER))
    tower.eval()
    # Last: until the weights are here, a command that is cut off continues from these checkpoints.
    forget(home, NAME, version)
    return tuple(reports)


def _log(epoch: Report) -> None:
    log.info("%s", described(epoch))


def described(epoch: Report) -> str:
    """One line for a person."""
    metric = epoch["metric"]
    quality = "" if metric is None else f" {metric} {epoch[metric]:.4f} (best {epoch['best']:.4f}),"
    return (
        f"epoch {epoch['epoch']} of {epoch['epochs']}: loss {epoch['loss']:.4f},{quality} "
        f"{epoch['examples_per_second']:,.0f} examples/s, {epoch['seconds']:.0f} s, "
        f"{100 * epoch['data_wait']:.1f}% waiting for data"
    )
