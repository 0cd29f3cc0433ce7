"""The training loop of the two towers: what each Ray Train worker runs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray.train
import ray.train.torch
import torch
from ray.data.collate_fn import ArrowBatchCollateFn
from safetensors.torch import load_file, save_file
from torch import Tensor

from remora.retrieval.content import Encoded
from remora.retrieval.losses.for_users import for_users
from remora.retrieval.losses.table import COMPARING
from remora.retrieval.towers import TowerSpec, TwoTower
from remora.training.rate import cooled

CUTOFF = 100
RECALL = f"recall@{CUTOFF}"
WHOLE = "full_cross_entropy"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What every worker needs besides its share of the examples; one object in Ray's store."""

    spec: TowerSpec
    identity: npt.NDArray[np.int64]  # (items,) 1..trained, 0 for an item without an example
    content: Encoded  # of the catalogue
    share: npt.NDArray[np.float64]  # (items,) of the examples' targets
    drawable: npt.NDArray[np.int64]  # rows that may be uniform negatives
    held_out: pa.Table  # examples of users that are not trained on
    examples: int  # in training

    def prior(self, temperature: float) -> npt.NDArray[np.float32]:
        """Shape (items,): what a softmax at that temperature adds to an item's cosine for how often it is wanted."""
        logarithm = np.log(self.share * self.examples + 1.0)
        return (temperature * (logarithm - logarithm.mean())).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The numbers of ``settings.retrieval`` that the loop reads."""

    epochs: int
    batch_size: int
    learning_rate: float
    temperature: float
    loss: str
    uniform_negatives: int
    id_dropout: float
    shuffle_rows: int
    seed: int


def train_worker(config: dict[str, Any]) -> None:
    """Train for the epochs that are left, from the last checkpoint; report and save after each.

    ``config``: ``inputs`` (a reference to :class:`Inputs`), ``schedule`` (:class:`Schedule`), ``examples`` (rows of
    one worker's share). Every random draw is seeded by epoch and worker, so a resumed run goes where the
    uninterrupted one would have gone.
    """
    torch.set_num_threads(1)
    inputs: Inputs = ray.get(config["inputs"])
    schedule: Schedule = config["schedule"]
    context = ray.train.get_context()
    torch.manual_seed(schedule.seed)
    plain = TwoTower(inputs.spec, inputs.identity, inputs.content, inputs.prior(schedule.temperature))
    model = ray.train.torch.prepare_model(plain, parallel_strategy_kwargs={"forward_sync_buffers": False})
    optimiser = torch.optim.Adam(model.parameters(), lr=schedule.learning_rate)
    done = _resume(plain, optimiser)
    device = ray.train.torch.get_device()
    per_worker = max(2, schedule.batch_size // context.get_world_size())
    steps = max(1, config["examples"] // per_worker)
    warm = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: cooled(step / (schedule.epochs * steps)))
    for _ in range(done * steps):
        warm.step()
    shard = ray.train.get_dataset_shard("train")
    for epoch in range(done, schedule.epochs):
        torch.manual_seed((schedule.seed * 1_000 + epoch) * 1_000 + context.get_world_rank())
        generator = np.random.default_rng((schedule.seed, epoch, context.get_world_rank()))
        model.train()
        total = 0.0
        for step, batch in enumerate(_batches(shard, per_worker, schedule.shuffle_rows, generator, steps, device)):
            optimiser.zero_grad(set_to_none=True)
            loss = batch_loss(model, batch, inputs, schedule, generator)
            loss.backward()
            optimiser.step()
            if step < steps - 1:
                warm.step()
            total += float(loss.detach())
        warm.step()
        report = {"epoch": epoch + 1, "epochs": schedule.epochs, "loss": total / steps}
        _report(report, plain, optimiser, inputs, first=context.get_world_rank() == 0)


def batch_loss(
    model: torch.nn.Module,
    batch: dict[str, Tensor],
    inputs: Inputs,
    schedule: Schedule,
    generator: np.random.Generator,
) -> Tensor:
    """The loss of one batch: against its own targets and uniformly drawn items, or against the whole catalogue."""
    targets, n = batch["target"], len(batch["target"])
    whole = schedule.loss == WHOLE
    uniform = inputs.drawable if whole else generator.choice(inputs.drawable, schedule.uniform_negatives)
    candidates = torch.cat([targets, torch.as_tensor(uniform, device=targets.device)])
    users, items = model(
        batch["history"], (batch["tags"], batch["words"], batch["numbers"]), candidates, schedule.id_dropout
    )
    others = slice(n if whole else 0, None)
    expected = np.ones(len(candidates))
    if not whole:
        rows = candidates.cpu().numpy()
        expected = n * inputs.share[rows] + schedule.uniform_negatives / len(inputs.drawable)
    log_expected = torch.as_tensor(np.log(expected), dtype=users.dtype, device=users.device)
    compared = for_users(
        users,
        items[:n],
        items[others],
        targets=targets,
        rows=candidates[others],
        history=batch["history"],
        log_expected=log_expected[others],
        own_expected=log_expected[:n],
        weights=batch["weight"],
        temperature=schedule.temperature,
        catalogue=len(inputs.drawable),
    )
    return COMPARING[schedule.loss]().of(compared)


def to_tensors(examples: pa.Table, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Columns of encoded examples as tensors; fixed-size lists become matrices."""
    tensors = {}
    for name in ("history", "tags", "words", "numbers", "target", "weight"):
        column = examples[name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            width = column.type.list_size
            values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), width)
        else:
            values = column.to_numpy(zero_copy_only=False)
        kind = torch.float32 if pa.types.is_floating(pa.array(values.ravel()[:0]).type) else torch.int64
        tensors[name] = torch.as_tensor(values.copy(), dtype=kind, device=device)
    return tensors


class _ToTensors(ArrowBatchCollateFn):
    """Told apart from a plain function by its type, so that Ray hands it Arrow rather than NumPy."""

    def __call__(self, batch: pa.Table) -> Any:
        return to_tensors(batch)


@torch.inference_mode()
def held_out_recall(model: TwoTower, held_out: pa.Table, k: int = CUTOFF, step: int = 512) -> float:
    """Share of held-out examples whose target is among the k nearest items that are not in the history."""
    model.eval()
    device = model.catalogue_identity.device
    vectors = torch.as_tensor(model.item_vectors(), device=device)
    hits = 0
    for begin in range(0, len(held_out), step):
        batch = to_tensors(held_out.slice(begin, step), device)
        history = batch["history"]
        present = history >= 0
        users = _users(model, vectors, batch)
        scores = users @ vectors.T
        own = scores.gather(1, batch["target"][:, None])
        scores.scatter_(
            1, history.clamp(min=0), torch.where(present, -torch.inf, scores.gather(1, history.clamp(min=0)))
        )
        hits += int(((scores > own).sum(1) < k).sum())
    return hits / max(1, len(held_out))


@torch.inference_mode()
def held_out_users(model: TwoTower, vectors: npt.NDArray[np.float32], held_out: pa.Table) -> npt.NDArray[np.float32]:
    """The vectors (n, d + 1) of the users of some examples, over item vectors (items, d + 1)."""
    model.eval()
    device = model.catalogue_identity.device
    batch = to_tensors(held_out, device)
    return _users(model, torch.as_tensor(vectors, device=device), batch).cpu().numpy()


def _users(model: TwoTower, vectors: Tensor, batch: dict[str, Tensor]) -> Tensor:
    read = vectors[batch["history"].clamp(min=0), :-1]
    return model.user(read, batch["history"] >= 0, batch["tags"], batch["words"], batch["numbers"])  # type: ignore[no-any-return]


def _batches(
    shard: ray.data.DataIterator,
    size: int,
    shuffle_rows: int,
    generator: np.random.Generator,
    steps: int,
    device: torch.device,
) -> Iterator[dict[str, Tensor]]:
    """Exactly ``steps`` shuffled batches: all workers must take the same number, or the last would wait for ever."""
    given = 0
    for chunk in shard.iter_torch_batches(batch_size=shuffle_rows, collate_fn=_ToTensors(), prefetch_batches=1):
        order = torch.from_numpy(generator.permutation(len(chunk["target"])))
        for part in order.split(size):
            if given < steps:
                given += 1
                yield {name: values[part].to(device) for name, values in chunk.items()}
    if given < steps:
        raise RuntimeError(f"A worker got {given} batches where {steps} were planned.")


def _resume(model: TwoTower, optimiser: torch.optim.Optimizer) -> int:
    """Load the last checkpoint, if there is one; returns the epochs that are done."""
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as folder:
        model.load_state_dict(load_file(Path(folder) / "towers.safetensors"), strict=True)
        optimiser.load_state_dict(torch.load(Path(folder) / "optimiser.pt", weights_only=True))
        return int(json.loads((Path(folder) / "state.json").read_text())["epoch"])


def _report(
    report: dict[str, Any], model: TwoTower, optimiser: torch.optim.Optimizer, inputs: Inputs, *, first: bool
) -> None:
    """Measure, save and report an epoch; a barrier of all workers, of which the first does the work."""
    if not first:
        ray.train.report(report)
        return
    report[RECALL] = held_out_recall(model, inputs.held_out)
    with tempfile.TemporaryDirectory() as folder:
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, Path(folder) / "towers.safetensors")
        torch.save(optimiser.state_dict(), Path(folder) / "optimiser.pt")
        (Path(folder) / "state.json").write_text(json.dumps(report))
        ray.train.report(report, checkpoint=ray.train.Checkpoint.from_directory(folder))
