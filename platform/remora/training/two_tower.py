"""The training loop of the two towers, wherever it runs, and what it is judged by."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray.data
import torch
from ray.data.collate_fn import ArrowBatchCollateFn
from torch import Tensor

from remora.fitting.lr_schedule import cooled
from remora.retrieval.content import EncodedContent
from remora.retrieval.losses.loss import Loss, loss_of
from remora.retrieval.losses.user_item_logits import user_item_logits
from remora.retrieval.towers import TowerSpec, TwoTower
from remora.settings import RetrievalSettings
from remora.settings.components import LossChoice

CUTOFF = 100
RECALL = f"recall@{CUTOFF}"
CPU = torch.device("cpu")


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What every worker needs besides its share of the examples; one object in Ray's store. Shapes: see fields."""

    spec: TowerSpec
    identity: npt.NDArray[np.int64]  # (items,) 1..trained, 0 for an item without an example
    content: EncodedContent  # of the catalogue
    share: npt.NDArray[np.float64]  # (items,) of the examples' targets
    drawable: npt.NDArray[np.int64]  # rows that may be uniform negatives
    held_out: pa.Table  # examples of users that are not trained on
    examples: int  # in training
    repeats: bool = False  # may a slate show what is in the history?

    def prior(self, temperature: float) -> npt.NDArray[np.float32]:
        """Shape (items,): what a softmax at that temperature adds to an item's cosine for how often it is wanted.

        How often an item will be wanted that no user wanted yet is not known: it has the mean of the others.
        """
        logarithm, trained = np.log(self.share * self.examples + 1.0), self.share > 0
        return np.where(trained, temperature * (logarithm - logarithm[trained].mean()), 0.0).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The numbers of ``settings.retrieval`` that the loop reads."""

    epochs: int
    batch_size: int
    learning_rate: float
    temperature: float
    loss: LossChoice
    uniform_negatives: int
    id_dropout: float
    shuffle_buffer_rows: int
    seed: int

    @classmethod
    def of(cls, chosen: RetrievalSettings) -> Schedule:
        """Those of the settings."""
        return cls(**{field: getattr(chosen, field) for field in cls.__dataclass_fields__})


def towers(inputs: Inputs, schedule: Schedule) -> TwoTower:
    """Untrained, over the catalogue."""
    torch.manual_seed(schedule.seed)
    return TwoTower(inputs.spec, inputs.identity, inputs.content, inputs.prior(schedule.temperature))


def epochs(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    examples: ray.data.DataIterator,
    inputs: Inputs,
    schedule: Schedule,
    *,
    count: int,
    done: int = 0,
    rank: int = 0,
    world: int = 1,
    device: torch.device = CPU,
) -> Iterator[dict[str, Any]]:
    """Train epoch by epoch after those that are ``done``, and say of each how it went, without measuring.

    ``count`` examples are this worker's share, one of ``world``. Every random draw is seeded by epoch and worker, so a
    resumed run goes where the uninterrupted one would have gone.
    """
    judge = loss_of(schedule.loss)
    per_worker = max(2, schedule.batch_size // world)
    steps = max(1, count // per_worker)
    cooling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: cooled(step / (schedule.epochs * steps)))
    # A resumed run continues where the schedule of its learning rate stood.
    for _ in range(done * steps):
        cooling.step()
    for epoch in range(done, schedule.epochs):
        # Of the epoch, so that a resumed run draws the same; of the rank, so that workers draw differently.
        torch.manual_seed((schedule.seed * 1_000 + epoch) * 1_000 + rank)
        generator = np.random.default_rng((schedule.seed, epoch, rank))
        model.train()
        total, waited = 0.0, 0.0
        begun = ready = time.monotonic()
        batches = _batches(examples, per_worker, schedule.shuffle_buffer_rows, generator, steps, device)
        for batch in batches:
            waited += time.monotonic() - ready
            optimiser.zero_grad(set_to_none=True)
            loss = batch_loss(model, batch, inputs, schedule, judge, generator)
            loss.backward()
            optimiser.step()
            cooling.step()
            total += float(loss.detach())
            ready = time.monotonic()
        passed = time.monotonic() - begun
        yield {
            "epoch": epoch + 1,
            "epochs": schedule.epochs,
            "loss": total / steps,
            "examples_per_second": steps * per_worker * world / passed,
            "data_wait": waited / passed,
        }


def batch_loss(
    model: torch.nn.Module,
    batch: dict[str, Tensor],
    inputs: Inputs,
    schedule: Schedule,
    judge: Loss,
    generator: np.random.Generator,
) -> Tensor:
    """The loss of one batch: against its own targets and uniformly drawn items, or against the whole catalogue where
    the loss needs no negatives.

    ``batch`` as :func:`to_tensors` returns it, one row an example; a scalar tensor.
    """
    targets, n = batch["target"], len(batch["target"])
    whole = not judge.needs_negatives
    uniform = inputs.drawable if whole else generator.choice(inputs.drawable, schedule.uniform_negatives)
    candidates = torch.cat([targets, torch.as_tensor(uniform, device=targets.device)])
    users, items = model(
        batch["history"], (batch["tags"], batch["words"], batch["numbers"]), candidates, schedule.id_dropout
    )
    # In the whole catalogue the batch's targets stand already.
    others = slice(n if whole else 0, None)
    expected = np.ones(len(candidates))
    if not whole:
        rows = candidates.cpu().numpy()
        # As the target of an example of the batch, and as a uniform draw.
        expected = n * inputs.share[rows] + schedule.uniform_negatives / len(inputs.drawable)
    log_expected = torch.as_tensor(np.log(expected), dtype=users.dtype, device=users.device)
    logits = user_item_logits(
        users,
        items[:n],
        items[others],
        targets=targets,
        rows=candidates[others],
        history=batch["history"],
        log_expected=log_expected[others],
        positive_expected=log_expected[:n],
        weights=batch["weight"],
        temperature=schedule.temperature,
        catalogue=len(inputs.drawable),
    )
    return judge.of(logits)


def to_tensors(examples: pa.Table, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """Columns of n encoded examples as tensors (n,); lists of fixed size k become matrices (n, k)."""
    tensors = {}
    for name in ("history", "tags", "words", "numbers", "target", "weight"):
        column = examples[name].combine_chunks()
        if pa.types.is_fixed_size_list(column.type):
            width = column.type.list_size
            values = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), width)
        else:
            values = column.to_numpy(zero_copy_only=False)
        kind = torch.float32 if pa.types.is_floating(pa.array(values.ravel()[:0]).type) else torch.int64
        # Arrow's memory is read-only, and torch has no tensor that may not be written to.
        tensors[name] = torch.as_tensor(values.copy(), dtype=kind, device=device)
    return tensors


class _ToTensors(ArrowBatchCollateFn):
    """Told apart from a plain function by its type, so that Ray hands it Arrow rather than NumPy."""

    def __call__(self, batch: pa.Table) -> Any:
        return to_tensors(batch)


def held_out_recall(model: TwoTower, inputs: Inputs, k: int = CUTOFF) -> float:
    """Share of held-out examples whose target is among the k nearest items; those of the history take no place unless
    repeats may be shown."""
    vectors = torch.as_tensor(model.item_vectors(), device=model.catalogue_identity.device)
    ranks, _ = ranks_of_targets(model, vectors, inputs.held_out, repeats=inputs.repeats)
    return float((ranks < k).sum()) / max(1, len(ranks))


@torch.inference_mode()
def ranks_of_targets(
    model: TwoTower,
    vectors: Tensor,
    examples: pa.Table,
    *,
    among: Tensor | None = None,
    repeats: bool = False,
    step: int = 512,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rank (n,), from 0, of each example's target among the items that could be shown; and how many could not (n,).

    Those of its history cannot, unless ``repeats`` are shown. ``vectors`` (items, d + 1) are those of the index;
    ``among`` (items,) leaves out others than the target. An item that scores as the target does not stand before it.
    """
    model.eval()
    ranks, had = [], []
    for begin in range(0, len(examples), step):
        batch = to_tensors(examples.slice(begin, step), vectors.device)
        rows, present = batch["history"].clamp(min=0), batch["history"] >= 0
        scores = _users(model, vectors, batch) @ vectors.T
        own = scores.gather(1, batch["target"][:, None])
        if not repeats:
            scores.scatter_(1, rows, torch.where(present, -torch.inf, scores.gather(1, rows)))
        before = scores > own if among is None else (scores > own) & among
        ranks.append(before.sum(1).cpu().numpy())
        had.append(torch.isinf(scores).sum(1).cpu().numpy())
    none = np.empty(0, np.int64)
    return np.concatenate([none, *ranks]), np.concatenate([none, *had])


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
    shuffle_buffer_rows: int,
    generator: np.random.Generator,
    steps: int,
    device: torch.device,
) -> Iterator[dict[str, Tensor]]:
    """Exactly ``steps`` shuffled batches: all workers must take the same number, or the last would wait for ever."""
    given = 0
    for chunk in shard.iter_torch_batches(batch_size=shuffle_buffer_rows, collate_fn=_ToTensors(), prefetch_batches=1):
        order = torch.from_numpy(generator.permutation(len(chunk["target"])))
        for part in order.split(size):
            if given < steps:
                given += 1
                yield {name: values[part].to(device) for name, values in chunk.items()}
    if given < steps:
        raise RuntimeError(f"A worker got {given} batches where {steps} were planned.")
