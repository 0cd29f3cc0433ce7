"""The loop of the deep ranker: one worker of Ray Train, slates of the past, all objectives at once."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
import ray.train
import ray.train.torch
import torch
import torch.nn.functional as F
from ray.train.collective import broadcast_from_rank_zero
from torch import Tensor, nn

from remora.datasets.slates import Slates
from remora.evaluation.slate_ndcg import mean_ndcg
from remora.ranking.network.model import Network, tensors
from remora.ranking.network.network import NetworkSpec, RankingNetwork
from remora.settings.ranking import ObjectiveSettings
from remora.training.checkpoints import is_over, judged, progress, report, resumed
from remora.training.rate import rate

NDCG = "ndcg@10"


@dataclass(frozen=True, kw_only=True)
class NetworkSchedule:
    """How long and how fast; see :class:`~remora.settings.NetworkSettings`."""

    epochs: int
    patience: int
    batch_queries: int
    learning_rate: float
    weight_decay: float
    seed: int
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkInputs:
    """What every worker needs; one object in Ray's store.

    ``weights``: those of a network to go on from. Without ``validation`` every epoch is trained and the last is kept.
    """

    spec: NetworkSpec
    objectives: Mapping[str, ObjectiveSettings]
    item_vectors: Tensor
    train: Slates
    validation: Slates | None
    weights: Mapping[str, Tensor] | None = None


def train_worker(config: dict[str, Any]) -> None:
    """One worker. All plan the same batches and take every n-th slate of each, so any number of them computes the
    gradient of the whole batch."""
    torch.set_num_threads(config["threads"])
    inputs: NetworkInputs = ray.get(config["inputs"])
    schedule: NetworkSchedule = config["schedule"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    torch.manual_seed(schedule.seed)
    plain = RankingNetwork(inputs.spec)
    if inputs.weights is not None:
        plain.load_state_dict(dict(inputs.weights))
    model = ray.train.torch.prepare_model(plain)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    state = resumed(plain, optimiser)
    slates, labels = inputs.train, _labels(inputs.train, inputs.objectives)
    counts = torch.from_numpy(1.0 / slates.sampled)
    begins = np.searchsorted(slates.batch.slate, np.arange(len(slates) + 1))
    steps = math.ceil(len(slates) / schedule.batch_queries)
    while not is_over(state, schedule):
        epoch, begun, waited, total = state["epoch"], time.monotonic(), 0.0, 0.0
        done, then = progress(state, schedule)
        shared = np.random.default_rng((schedule.seed, epoch))
        torch.manual_seed((schedule.seed * 1_000 + epoch) * 1_000 + rank)
        model.train()
        order = shared.permutation(len(slates))
        for step in range(steps):
            asked = time.monotonic()
            whole = order[step * schedule.batch_queries : (step + 1) * schedule.batch_queries]
            own = np.sort(whole[rank::world])
            at = torch.from_numpy(np.concatenate([np.arange(begins[s], begins[s + 1]) for s in own] or [begins[:0]]))
            read = tensors(slates.batch.take(own), inputs.item_vectors, inputs.spec.settings.history)
            every = np.concatenate([np.arange(begins[s], begins[s + 1]) for s in whole])
            waited += time.monotonic() - asked
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * rate(done + (then - done) * step / steps)
            optimiser.zero_grad(set_to_none=True)
            margins = model(*(part.to(device) for part in read))
            loss = world * _loss(
                margins,
                labels[at].to(device),
                counts[at].to(device),
                read[-1].to(device),
                len(own),
                inputs,
                shares=_totals(labels[every], counts[every], slates.batch.slate[every]),
            )
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            total += float(loss.detach())
        passed = time.monotonic() - begun
        found = validated(plain, inputs) if rank == 0 and inputs.validation is not None else 0.0
        found, passed = broadcast_from_rank_zero((found, passed))  # so that all stop together
        state = judged(state, NDCG, found, passed, schedule) | {
            "loss": total / steps,
            "examples_per_second": len(labels) / passed,
            "data_wait": waited / passed,
        }
        report(state, plain, optimiser, first=rank == 0)


def validated(network: RankingNetwork, inputs: NetworkInputs) -> float:
    """NDCG@10 of each objective's order, over slates that have any of it; the mean of the objectives.

    No weight is looked at, here or in the loss: changing one needs no training.
    """
    assert inputs.validation is not None
    device = next(network.parameters()).device
    margins = Network(inputs.spec, network.cpu(), inputs.item_vectors).margins(inputs.validation.batch)
    network.to(device).train()
    slate = inputs.validation.batch.slate
    found = [
        mean_ndcg(margins[:, place], inputs.validation.labels[name], slate)
        for place, name in enumerate(inputs.objectives)
    ]
    return float(np.mean(found))


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
    margins: Tensor, labels: Tensor, counts: Tensor, slate: Tensor, slates: int, inputs: NetworkInputs, shares: _Totals
) -> Tensor:
    """The worker's part of the batch's loss.

    A listwise head mixes the cross-entropy of its slate's order with each candidate's own, which ties the margins of
    different slates to one scale (X. Sheng et al., Joint optimization of ranking and calibration, KDD 2023).
    """
    parts = []
    for place, objective in enumerate(inputs.objectives.values()):
        margin, label = margins[:, place], labels[:, place]
        if objective.label == "value":
            alone = F.smooth_l1_loss(F.softplus(margin), torch.log1p(label), reduction="none")
        else:
            alone = F.binary_cross_entropy_with_logits(margin, label, reduction="none")
        within = inputs.spec.settings.listwise if objective.head == "listwise" else 0.0
        pointwise = (alone * counts).sum() / shares.rows
        together = _within_slates(margin, label, slate, slates) / shares.slates[place]
        parts.append(within * together + (1 - within) * pointwise)
    return torch.stack(parts).sum()


def _within_slates(margin: Tensor, label: Tensor, slate: Tensor, slates: int) -> Tensor:
    """Cross-entropy of the labels' shares within each slate and the softmax of its margins, summed over slates."""
    if not slates:
        return margin.sum() * 0.0
    top = torch.full((slates,), -torch.inf, device=margin.device).scatter_reduce(0, slate, margin.detach(), "amax")
    spread = torch.zeros(slates, device=margin.device).index_add(0, slate, torch.exp(margin - top[slate]))
    log_share = margin - top[slate] - torch.log(spread)[slate]
    whole = torch.zeros(slates, device=margin.device).index_add(0, slate, label)
    return -(torch.where(whole[slate] > 0, label / whole[slate].clamp(min=1e-9), 0.0) * log_share).sum()


def _labels(slates: Slates, objectives: Mapping[str, ObjectiveSettings]) -> Tensor:
    """Shape (n, objectives)."""
    return torch.from_numpy(np.stack([slates.labels[name] for name in objectives], axis=1))
