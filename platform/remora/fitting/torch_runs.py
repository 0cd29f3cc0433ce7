"""Fitting a PyTorch module with Ray Train: the best epoch's weights, and what every epoch reported."""

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

from remora.core.home import Home
from remora.fitting.checkpoints import TOWER
from remora.fitting.progress import Report, followed
from remora.fitting.runs import forget, run_config

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a run of Ray Train may use; ``max_failures`` counts how often a lost worker is replaced."""

    workers: int = 1
    threads: int = 2
    use_gpu: bool = False
    max_failures: int = 3


def fit_module(
    tower: nn.Module,
    home: Home,
    name: str,
    version: str,
    loop: Callable[[dict[str, Any]], None],
    metric: str | None,
    inputs: Any,
    schedule: Any,
    resources: Resources,
    on_epoch: Callable[[Report], None] | None,
) -> tuple[Report, ...]:
    """Train the run ``<name>-<version>`` elsewhere, load the weights of the epoch that is best by ``metric`` (None: of
    the last) into ``tower``, and return what every epoch reported."""
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
                home, name, version, callback=callback, max_failures=resources.max_failures, best=metric
            ),
        ).fit()
    best = result.checkpoint if metric is None else result.get_best_checkpoint(metric, "max")
    assert best is not None
    with best.as_directory() as folder:
        tower.load_state_dict(load_file(Path(folder) / TOWER))
    tower.eval()
    # Last: until the weights are here, a command that is cut off continues from these checkpoints.
    forget(home, name, version)
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
