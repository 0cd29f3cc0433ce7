"""What the loops of Ray Train save after each epoch, and continue from."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Protocol

import ray.train
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from remora.core.errors import DataError
from remora.core.json_document import parse_document

TOWER = "tower.safetensors"

COOLING = 0.6
"""Progress at which the learning rate has fallen below two fifths of its largest."""

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
    """Load the last checkpoint and return its state; a new one where none exists.

    DataError when the checkpoint is of another shape: the vocabulary or the plan has changed since.
    """
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return new_state()
    with checkpoint.as_directory() as folder:
        weights = load_file(Path(folder) / TOWER)
        check_shapes(tower, weights)
        tower.load_state_dict(weights, strict=True)
        optimiser.load_state_dict(torch.load(Path(folder) / "optimiser.pt", weights_only=True))
        return read_state(Path(folder) / "state.json")


def read_state(file: Path) -> State:
    """The state that a checkpoint's file holds; UnreadableInput where it is damaged."""
    return parse_document(
        file.read_bytes(),
        str(file),
        dict[str, Any],
        "The checkpoint is damaged. Remove the run's folder below training/ in the home, and train again.",
    )


def new_state() -> State:
    """Before the first epoch."""
    return {"epoch": 0, "best": 0.0, "since": 0, "seconds": 0.0, "pace": 0.0, "progress": 0.0}


def check_shapes(tower: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """DataError, with the first name whose shape differs, unless the weights are those of such a tower."""
    wanted = {name: tuple(value.shape) for name, value in tower.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted({*wanted, *found}):
        if wanted.get(name) != found.get(name):
            raise DataError(
                f"The checkpoint's '{name}' has shape {found.get(name)}, the tower's is {wanted.get(name)}: the "
                f"vocabulary or the plan has changed since it was written. Train it under another version."
            )


def progress(state: State, limits: Limits) -> tuple[float, float]:
    """How much of the training is done before and after the next epoch, 0 to 1: what the learning rate follows.

    The next epoch takes its share of what is left: of the epochs, or of those that the time allows at the pace of the
    last one, so that the rate has come down when either is spent. The pace is part of the state: a resumed run keeps
    it, and all workers agree.
    """
    done, left = state["progress"], max(1, limits.epochs - state["epoch"])
    if limits.seconds is not None and state["pace"]:
        left = max(1, min(left, int((limits.seconds - state["seconds"]) / state["pace"])))
    return done, done + (1 - done) / left


def judged(state: State, metric: str, found: float | None, passed: float, limits: Limits) -> State:
    """The state after an epoch that took ``passed`` seconds and reached ``found`` on validation, None without one.

    A plateau at a high rate is no end, since a lower one finds more: when the patience is spent before
    :data:`COOLING`, the training continues from there and the patience starts over.
    """
    since = 0 if found is None or found > state["best"] else state["since"] + 1
    done = progress(state, limits)[1]
    if since >= limits.patience and done < COOLING:
        since, done = 0, COOLING
    return state | {
        "epoch": state["epoch"] + 1,
        "epochs": limits.epochs,
        metric: found,
        "best": state["best"] if found is None else max(found, state["best"]),
        "since": since,
        "seconds": state["seconds"] + passed,
        "pace": passed,
        "progress": done,
    }


def is_over(state: State, limits: Limits) -> bool:
    """Is the training done, or the patience spent?"""
    return state["progress"] >= 1 - 1e-9 or state["since"] >= limits.patience


def report(state: State, tower: nn.Module, optimiser: torch.optim.Optimizer, *, first: bool) -> None:
    """Save and report an epoch: a barrier of all workers, of which the first does the work."""
    if not first:
        ray.train.report(dict(state))
        return
    with tempfile.TemporaryDirectory() as folder:
        # safetensors refuses views whose memory is not in order.
        save_file({k: v.contiguous() for k, v in tower.state_dict().items()}, Path(folder) / TOWER)
        torch.save(optimiser.state_dict(), Path(folder) / "optimiser.pt")
        (Path(folder) / "state.json").write_text(json.dumps(state))
        ray.train.report(dict(state), checkpoint=ray.train.Checkpoint.from_directory(folder))
