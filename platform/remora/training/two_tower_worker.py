"""What each Ray Train worker runs for the two towers: the loop, resumed, reported and saved."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch
from safetensors.torch import load_file, save_file

from remora.fitting.checkpoints import read_state
from remora.retrieval.towers import TwoTower
from remora.training.two_tower import RECALL, Inputs, Schedule, epochs, held_out_recall, towers

TOWERS, STATE, OPTIMISER = "towers.safetensors", "state.json", "optimiser.pt"


def train_worker(config: dict[str, Any]) -> None:
    """Train for the epochs that are left, from the last checkpoint; report and save after each.

    ``config``: ``inputs`` (a reference to :class:`Inputs`), ``schedule`` (:class:`Schedule`), ``examples`` (rows of
    one worker's share).
    """
    # Threads of several workers on few cores spin while they wait for one another.
    torch.set_num_threads(1)
    inputs: Inputs = ray.get(config["inputs"])
    schedule: Schedule = config["schedule"]
    context = ray.train.get_context()
    plain = towers(inputs, schedule)
    # DistributedDataParallel would send rank 0's buffers before each step; they are the catalogue, which no step
    # changes.
    model = ray.train.torch.prepare_model(plain, parallel_strategy_kwargs={"forward_sync_buffers": False})
    optimiser = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate)
    for report in epochs(
        model,
        optimiser,
        ray.train.get_dataset_shard("train"),
        inputs,
        schedule,
        count=config["examples"],
        done=_resume(plain, optimiser),
        rank=context.get_world_rank(),
        world=context.get_world_size(),
        device=ray.train.torch.get_device(),
    ):
        _report(report, plain, optimiser, inputs, first=context.get_world_rank() == 0)


def _resume(model: TwoTower, optimiser: torch.optim.Optimizer) -> int:
    """Load the last checkpoint, if there is one; returns the epochs that are done."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as folder:
        model.load_state_dict(load_file(Path(folder) / TOWERS), strict=True)
        optimiser.load_state_dict(torch.load(Path(folder) / OPTIMISER, weights_only=True))
        return int(read_state(Path(folder) / STATE)["epoch"])


def _report(
    report: dict[str, Any], model: TwoTower, optimiser: torch.optim.Optimizer, inputs: Inputs, *, first: bool
) -> None:
    """Measure, save and report an epoch; a barrier of all workers, of which the first does the work."""
    if not first:
        ray.train.report(report)
        return
    report[RECALL] = held_out_recall(model, inputs)
    with tempfile.TemporaryDirectory() as folder:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, Path(folder) / TOWERS)
        torch.save(optimiser.state_dict(), Path(folder) / OPTIMISER)
        (Path(folder) / STATE).write_text(json.dumps(report))
        ray.train.report(report, checkpoint=ray.train.Checkpoint.from_directory(folder))
