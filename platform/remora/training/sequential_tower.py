"""The training loop of a sequential tower: what each Ray Train worker runs."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import ray
import ray.train
import ray.train.torch
import torch
from ray.train.collective import broadcast_from_rank_zero
from torch import Tensor, nn

from remora.evaluation.full_ranking import ndcg_of_one, ranks
from remora.fitting.checkpoints import is_over, judged, progress, report, resumed
from remora.fitting.lr_schedule import rate
from remora.retrieval.interaction_histories import batches
from remora.retrieval.losses.candidates import SampledNegatives
from remora.retrieval.losses.loss import loss_of
from remora.retrieval.sequential_tower import SequenceSpec, SequentialTower, user_vectors
from remora.retrieval.training_inputs import NextItems, SequenceInputs, SequenceSchedule
from remora.settings.components import LossChoice
from remora.training.negative_sampling import NegativeSampler

NDCG = "ndcg@10"


class Objective(nn.Module):
    """The tower and its loss in one forward pass, as distributed training wants it."""

    def __init__(self, spec: SequenceSpec, loss: LossChoice) -> None:
        super().__init__()
        self.tower = SequentialTower(spec)
        self.loss = loss_of(loss)

    def forward(self, sequences: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """The mean loss, a scalar tensor, over the positions of (n, L + 1) items whose next item is known."""
        targets = sequences[:, 1:]
        there = targets >= 0
        states, known = self.tower(sequences[:, :-1])[there], targets[there]
        return self.loss.of_table(states, self.tower.vectors(), known, sampled)


def train_worker(config: dict[str, Any]) -> None:
    """Train from the last checkpoint on; measure, report and save each epoch; stop when validation no longer gains.

    ``config``: ``inputs`` (a reference to :class:`SequenceInputs`), ``schedule``, ``threads``. All workers plan
    the same batches and take every n-th user, so any number of them computes the gradient of the whole batch.
    """
    torch.set_num_threads(config["threads"])
    inputs: SequenceInputs = ray.get(config["inputs"])
    schedule: SequenceSchedule = config["schedule"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    torch.manual_seed(schedule.seed)
    plain = Objective(inputs.spec, schedule.loss)
    if inputs.start is not None:
        plain.tower.start_from(inputs.start)
    if inputs.weights is not None:
        plain.tower.load_state_dict(dict(inputs.weights))
    model = ray.train.torch.prepare_model(plain)
    optimiser = torch.optim.AdamW(model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay)
    state = resumed(plain.tower, optimiser)
    users = np.flatnonzero(inputs.train.lengths > 1)
    lengths = np.minimum(inputs.train.lengths[users], inputs.spec.length + 1)
    sampler = NegativeSampler.of(inputs.train.flat, inputs.train.items, schedule.negatives, schedule.popularity)
    steps = math.ceil(len(users) / schedule.batch_users)
    while not is_over(state, schedule):
        epoch, begun, waited, total = state["epoch"], time.monotonic(), 0.0, 0.0
        done, then = progress(state, schedule)
        # The same in all workers, which must plan the same batches and draw the same negatives.
        shared = np.random.default_rng((schedule.seed, epoch))
        # Of the epoch, so that a resumed run draws the same dropout; of the rank, so that workers draw different ones.
        torch.manual_seed((schedule.seed * 1_000 + epoch) * 1_000 + rank)
        model.train()
        for step, batch in enumerate(batches(lengths, schedule.batch_users, shared)):
            asked = time.monotonic()
            own = users[batch[rank::world]]
            sequences = torch.as_tensor(inputs.train.padded(own, inputs.spec.length + 1), device=device)
            sampled = sampler.sample(shared, device) if plain.loss.needs_negatives else None
            # The workers' gradients are averaged: weighed by its share, the average is the whole batch's.
            share = (
                float(lengths[batch[rank::world]].sum() - len(own)) * world / float(lengths[batch].sum() - len(batch))
            )
            waited += time.monotonic() - asked
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * rate(done + (then - done) * step / steps)
            optimiser.zero_grad(set_to_none=True)
            loss = _autocast(device, model, sequences, sampled) * share if len(own) else _nothing(model)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            total += float(loss.detach())
        passed = time.monotonic() - begun
        asked_of = inputs.validation if rank == 0 else None
        found = None if asked_of is None else validated(plain.tower, asked_of)
        found, passed = broadcast_from_rank_zero((found, passed))  # so that all stop together
        state = judged(state, NDCG, found, passed, schedule)
        state |= {
            "loss": total / steps,
            "examples_per_second": float(lengths.sum() - len(lengths)) / passed,
            "data_wait": waited / passed,
        }
        report(state, plain.tower, optimiser, first=rank == 0)


def validated(tower: SequentialTower, asked: NextItems, step: int = 512) -> float:
    """NDCG@10 of the tower alone, in [0, 1]: the mean over the histories; items that a user had do not stand before."""
    vectors = tower.vectors().detach().float().cpu().numpy()
    users = user_vectors(tower, asked.histories)
    found = []
    for begin in range(0, len(users), step):
        part = np.arange(begin, min(begin + step, len(users)))
        found.append(ranks(users[part] @ vectors.T, asked.histories.chosen(part), asked.targets[part]))
    return float(ndcg_of_one(np.concatenate(found), 10).mean())


def _autocast(device: torch.device, model: nn.Module, sequences: Tensor, sampled: SampledNegatives | None) -> Tensor:
    """bfloat16 where the device computes in it."""
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        return model(sequences, sampled)  # type: ignore[no-any-return]


def _nothing(model: nn.Module) -> Tensor:
    """A loss for a worker without a user in this batch: all workers must take part in every step."""
    return sum((p.sum() for p in model.parameters()), torch.zeros(())) * 0.0  # type: ignore[return-value]
