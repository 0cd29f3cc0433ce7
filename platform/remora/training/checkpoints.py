"""What the loops of Ray Train save after each epoch, and go on from."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Protocol

import ray.train
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from remora.contracts.errors import DataError

TOWER = "tower.safetensors"

State = dict[str, Any]


class Limits(Protocol):
    """``patience`` counts epochs without a better validation; ``seconds`` bounds the loop's time, None: no bound."""

    @property
    def epochs(self) -> int: ...  # noqa: D102

    @property
    def patience(self) -> int: ...  # noqa: D102

    @property
    def seconds(self) -> float | None: ...  # noqa: D102


def resumed(tower: nn.Module, optimiser: torch.optim.Optimizer) -> State:
    """Load the last checkpoint and return its state; a new one where there is none.

    DataError when the checkpoint is of another shape: the vocabulary or the plan has changed since.
    """
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return {"epoch": 0, "best": 0.0, "since": 0, "seconds": 0.0}
    with checkpoint.as_directory() as folder:
        weights = load_file(Path(folder) / TOWER)
        check_shapes(tower, weights)
        tower.load_state_dict(weights, strict=True)
        optimiser.load_state_dict(torch.load(Path(folder) / "optimiser.pt", weights_only=True))
        return dict(json.loads((Path(folder) / "state.json").read_text()))


def check_shapes(tower: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """DataError, with the first difference, unless the weights are those of such a tower."""
    wanted = {name: tuple(value.shape) for name, value in tower.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            raise DataError(
                f"The checkpoint's '{name}' has shape {found.get(name)}, the tower's is {wanted.get(name)}: the "
                f"vocabulary or the plan has changed since it was written. Train it under another version."
            )


def judged(state: State, metric: str, found: float, passed: float, limits: Limits) -> State:
    """The state after an epoch that took ``passed`` seconds and reached ``found`` on validation.

    After the first epoch it is ``planned`` how many the time allows, so that the learning rate has come down when it
    ends. The plan is part of the state: a resumed run keeps it.
    """
    allowed = limits.epochs if limits.seconds is None else int(limits.seconds / max(passed, 1e-3))
    better = found > state["best"]
    return state | {
        "epoch": state["epoch"] + 1,
        metric: found,
        "best": max(found, state["best"]),
        "since": 0 if better else state["since"] + 1,
        "seconds": state["seconds"] + passed,
        "planned": state.get("planned", max(1, min(limits.epochs, allowed))),
    }


def is_over(state: State, limits: Limits) -> bool:
    """Are the epochs done, the patience or the time spent?"""
    late = limits.seconds is not None and state["seconds"] > 1.2 * limits.seconds
    return state["epoch"] >= planned(state, limits) or state["since"] >= limits.patience or late


def planned(state: State, limits: Limits) -> int:
    """Epochs that the learning rate is spread over."""
    return int(state.get("planned", limits.epochs))


def report(state: State, tower: nn.Module, optimiser: torch.optim.Optimizer, *, first: bool) -> None:
    """Save and report an epoch: a barrier of all workers, of which the first does the work."""
    if not first:
        ray.train.report(dict(state))
        return
    with tempfile.TemporaryDirectory() as folder:
        save_file({k: v.contiguous() for k, v in tower.state_dict().items()}, Path(folder) / TOWER)
        torch.save(optimiser.state_dict(), Path(folder) / "optimiser.pt")
        (Path(folder) / "state.json").write_text(json.dumps(state))
        ray.train.report(dict(state), checkpoint=ray.train.Checkpoint.from_directory(folder))
