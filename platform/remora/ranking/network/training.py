"""The loop of the deep ranker: one worker of Ray Train, slates of the past, all objectives at once."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import ray
import ray.train
import ray.train.torch
import torch
import torch.nn.functional as F
from ray.train.collective import broadcast_from_rank_zero
from torch import Tensor, nn

from remora.fitting.checkpoints import is_over, judged, new_state, progress, report, resumed
from remora.fitting.lr_schedule import rate
from remora.ranking.models.network import Network
from remora.ranking.network.network import NetworkSpec, RankingNetwork
from remora.ranking.network.tensors import tensors
from remora.ranking.slate_ndcg import ndcg_of_each
from remora.ranking.slates import Slates
from remora.settings.ranking import ObjectiveSettings

NDCG = "ndcg@10"


@dataclass(frozen=True, kw_only=True)
class NetworkSchedule:
    """How long and how fast; see :class:`Network.Config`."""

    epochs: int
    patience: int
    batch_queries: int
    learning_rate: float
    weight_decay: float
    seed: int
    seconds: float | None = None

    @classmethod
    def of(cls, chosen: Network.Config, seed: int) -> NetworkSchedule:
        """As the settings say."""
        names = ("epochs", "patience", "batch_queries", "learning_rate", "weight_decay")
        return cls(**chosen.model_dump(include=set(names)), seed=seed)


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """What every worker needs, ``item_vectors`` (items, d) among it; one object in Ray's store.

    ``weights``: those of a network to continue from. Without ``validation`` every epoch is trained and the last is
    kept.
    """

    spec: NetworkSpec
    objectives: Mapping[str, ObjectiveSettings]
    item_vectors: Tensor
    train: Slates
    validation: Slates | None
    weights: Mapping[str, Tensor] | None = None

    @property
    def history(self) -> int:
        """How many items of a history are read."""
        return self.spec.settings.history


def train_worker(config: dict[str, Any]) -> None:
    """One worker of Ray Train."""
    torch.set_num_threads(config["threads"])
    inputs: NetworkInputs = ray.get(config["inputs"])
    schedule: NetworkSchedule = config["schedule"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    plain = started(inputs, schedule)
    model = ray.train.torch.prepare_model(plain)
    optimiser = optimiser_of(model, schedule)
    state = resumed(plain, optimiser)
    while not is_over(state, schedule):
        begun = time.monotonic()
        epoch = one_epoch(model, optimiser, inputs, schedule, state, rank, world)
        passed = time.monotonic() - begun
        found = validated(plain, inputs) if rank == 0 else None
        found, passed = broadcast_from_rank_zero((found, passed))  # so that all stop together
        state = judged(state, NDCG, found, passed, schedule) | {
            "loss": epoch.loss,
            "examples_per_second": len(inputs.train.batch) / passed,
            "data_wait": epoch.waited / passed,
        }
        report(state, plain, optimiser, first=rank == 0)


def started(inputs: NetworkInputs, schedule: NetworkSchedule) -> RankingNetwork:
    """The network before the first step."""
    torch.manual_seed(schedule.seed)
    network = RankingNetwork(inputs.spec)
    if inputs.weights is not None:
        network.load_state_dict(dict(inputs.weights))
    return network


def optimiser_of(model: nn.Module, schedule: NetworkSchedule) -> torch.optim.Optimizer:
    """AdamW."""
    return torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)


class EpochResult(NamedTuple):
    """Of an epoch: its mean loss, and seconds spent on putting batches together."""

    loss: float
    waited: float


def one_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    inputs: NetworkInputs,
    schedule: NetworkSchedule,
    state: dict[str, Any],
    rank: int = 0,
    world: int = 1,
) -> EpochResult:
    """All slates once, in an order of the epoch's own.

    All workers plan the same batches and take every n-th slate of each, so any number of them computes the gradient of
    the whole batch.
    """
    device = next(model.parameters()).device
    slates, labels = inputs.train, _labels(inputs.train, inputs.objectives)
    counts = torch.from_numpy(slates.counts)
    steps = math.ceil(len(slates) / schedule.batch_queries)
    done, then = progress(state, schedule)
    # Of the epoch, so that a resumed run draws the same dropout; of the rank, so that workers draw different ones.
    torch.manual_seed((schedule.seed * 1_000 + state["epoch"]) * 1_000 + rank)
    order = np.random.default_rng((schedule.seed, state["epoch"])).permutation(len(slates))
    waited, total = 0.0, 0.0
    model.train()
    for step in range(steps):
        asked = time.monotonic()
        whole = order[step * schedule.batch_queries : (step + 1) * schedule.batch_queries]
        own = np.sort(whole[rank::world])
        at, every = slates.batch.indices(own), slates.batch.indices(whole)
        read = [part.to(device) for part in tensors(slates.batch.take(own), inputs.item_vectors, inputs.history)]
        totals = _totals(labels[every], counts[every], slates.batch.slate[every])
        waited += time.monotonic() - asked
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate * rate(done + (then - done) * step / steps)
        optimiser.zero_grad(set_to_none=True)
        loss = world * _loss(
            model(*read), labels[at].to(device), counts[at].to(device), read[-1], len(own), inputs, totals
        )
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        total += float(loss.detach())
    return EpochResult(total / steps, waited)


def epochs_in_process(
    inputs: NetworkInputs, schedule: NetworkSchedule
) -> Iterator[tuple[float | None, RankingNetwork]]:
    """Epoch after epoch in this process: NDCG@10 on validation, None without one, and the network."""
    network = started(inputs, schedule)
    optimiser, state = optimiser_of(network, schedule), new_state()
    while not is_over(state, schedule):
        begun = time.monotonic()
        one_epoch(network, optimiser, inputs, schedule, state)
        found = validated(network, inputs)
        state = judged(state, NDCG, found, time.monotonic() - begun, schedule)
        yield found, network


def fit_in_process(inputs: NetworkInputs, schedule: NetworkSchedule) -> RankingNetwork:
    """The best epoch by validation, or the last without one: for many small fits."""
    best, kept = -1.0, RankingNetwork(inputs.spec)
    for found, network in epochs_in_process(inputs, schedule):
        if found is None or found > best:
            best = best if found is None else found
            kept.load_state_dict(network.state_dict())
    return kept


def validated(network: RankingNetwork, inputs: NetworkInputs) -> float | None:
    """NDCG@10 of each objective's order, over slates that have any of it; the mean of the objectives. None without a
    validation.

    No weight is looked at, here or in the loss: changing one needs no training.
    """
    if inputs.validation is None:
        return None
    device = next(network.parameters()).device
    margins = Network(inputs.spec, network.cpu(), inputs.item_vectors).margins(inputs.validation.batch)
    network.to(device).train()
    found = ndcg_of_each(margins, inputs.validation.labels, inputs.validation.batch.slate)
    return float(np.mean([*found.values()]))


@dataclass(frozen=True)
class _Totals:
    """Of a whole batch, by objective: slates that have a positive, and what all rows count."""

    slates: Tensor
    rows: Tensor


def _totals(labels: Tensor, counts: Tensor, slate: np.ndarray) -> _Totals:
    numbers = torch.from_numpy(np.unique(slate, return_inverse=True)[1])
    positive = torch.zeros(int(numbers.max()) + 1, labels.shape[1]).index_add_(0, numbers, labels)
    return _Totals((positive > 0).sum(dim=0).clamp(min=1), counts.sum())


def _loss(
    margins: Tensor, labels: Tensor, counts: Tensor, slate: Tensor, slates: int, inputs: NetworkInputs, totals: _Totals
) -> Tensor:
    """The worker's part of the batch's loss.

    A listwise head mixes the cross-entropy of its slate's order with each candidate's own, which ties the margins of
    different slates to one scale (X. Sheng et al., Joint optimization of ranking and calibration, KDD 2023).
    """
    parts = []
    for index, objective in enumerate(inputs.objectives.values()):
        margin, label = margins[:, index], labels[:, index]
        if objective.label == "value":
            alone = F.smooth_l1_loss(F.softplus(margin), torch.log1p(label), reduction="none")
        else:
            alone = F.binary_cross_entropy_with_logits(margin, label, reduction="none")
        within = inputs.spec.settings.listwise_loss_weight if objective.loss == "listwise" else 0.0
        pointwise = (alone * counts).sum() / totals.rows
        together = _within_slates(margin, label, slate, slates) / totals.slates[index]
        parts.append(within * together + (1 - within) * pointwise)
    return torch.stack(parts).sum()


def _within_slates(margin: Tensor, label: Tensor, slate: Tensor, slates: int) -> Tensor:
    """Cross-entropy of the labels' shares within each slate and the softmax of its margins, summed over slates."""
    if not slates:
        # A gradient all the same: the other workers wait for one from each.
        return margin.sum() * 0.0
    # Softmax less each slate's largest margin, so that no exponential overflows.
    top = torch.full((slates,), -torch.inf, device=margin.device).scatter_reduce(0, slate, margin.detach(), "amax")
    spread = torch.zeros(slates, device=margin.device).index_add(0, slate, torch.exp(margin - top[slate]))
    log_share = margin - top[slate] - torch.log(spread)[slate]
    whole = torch.zeros(slates, device=margin.device).index_add(0, slate, label)
    return -(torch.where(whole[slate] > 0, label / whole[slate].clamp(min=1e-9), 0.0) * log_share).sum()


def _labels(slates: Slates, objectives: Mapping[str, ObjectiveSettings]) -> Tensor:
    """Shape (n, objectives)."""
    return torch.from_numpy(np.stack([slates.labels[name] for name in objectives], axis=1))
