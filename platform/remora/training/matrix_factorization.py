"""The training loop of matrix factorisation: what each Ray Train worker runs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import ray
import ray.train
import ray.train.torch
import torch
from ray.train.collective import broadcast_from_rank_zero

from remora.evaluation.full_ranking import hits, ndcg_of_sets
from remora.fitting.checkpoints import is_over, judged, progress, report, resumed
from remora.fitting.lr_schedule import rate
from remora.retrieval.matrix_factorization import MatrixFactorization, PairObjective
from remora.retrieval.training_inputs import PairInputs, PairSchedule, PairValidation
from remora.training.negative_sampling import NegativeSampler
from remora.training.row_adam import RowAdam

NDCG = "ndcg@20"


def train_worker(config: dict[str, Any]) -> None:
    """Train from the last checkpoint on; measure, report and save each epoch; stop when validation no longer gains.

    ``config``: ``inputs`` (a reference to :class:`PairInputs`), ``schedule``, ``threads``.
    """
    torch.set_num_threads(config["threads"])
    inputs: PairInputs = ray.get(config["inputs"])
    schedule: PairSchedule = config["schedule"]
    context = ray.train.get_context()
    rank, world = context.get_world_rank(), context.get_world_size()
    device = ray.train.torch.get_device()
    torch.manual_seed(schedule.seed)
    plain = PairObjective(inputs.spec, schedule.loss)
    if inputs.start is not None:
        plain.tower.start_from(*inputs.start)
    model = ray.train.torch.prepare_model(plain)
    optimiser = RowAdam(model.parameters(), lr=schedule.learning_rate)
    state = resumed(plain.tower, optimiser)
    flat, owner = inputs.train.flat, np.repeat(np.arange(len(inputs.train)), inputs.train.lengths)
    sampler = NegativeSampler.of(flat, inputs.train.items, schedule.negatives, schedule.popularity)
    size = min(schedule.batch_size, len(flat))
    steps = len(flat) // size
    while not is_over(state, schedule):
        begun, waited, total = time.monotonic(), 0.0, 0.0
        done, then = progress(state, schedule)
        # The same in all workers, which must draw the same batches and negatives.
        shared = np.random.default_rng((schedule.seed, state["epoch"]))
        order = shared.permutation(len(flat))
        for step in range(steps):
            asked = time.monotonic()
            batch = order[step * size : (step + 1) * size]
            own = batch[rank::world]
            users, items = (torch.as_tensor(a[own].astype(np.int64), device=device) for a in (owner, flat))
            sampled = sampler.sample(shared, device) if plain.loss.needs_negatives else None
            waited += time.monotonic() - asked
            for group in optimiser.param_groups:
                group["lr"] = schedule.learning_rate * rate(done + (then - done) * step / steps)
            optimiser.zero_grad(set_to_none=True)
            loss = model(users, items, sampled)
            # The workers' gradients are averaged: weighed by its share, the average is that of the whole batch.
            (loss * (len(own) * world / len(batch))).backward()
            optimiser.step()
            total += float(loss.detach())
        passed = time.monotonic() - begun
        asked_of = inputs.validation if rank == 0 else None
        found = None if asked_of is None else _validated(plain.tower, asked_of)
        found, passed = broadcast_from_rank_zero((found, passed))  # so that all stop together
        state = judged(state, NDCG, found, passed, schedule)
        state |= {
            "loss": total / steps,
            "examples_per_second": steps * size / passed,
            "data_wait": waited / passed,
        }
        report(state, plain.tower, optimiser, first=rank == 0)


def _validated(tower: MatrixFactorization, validation: PairValidation, step: int = 256) -> float:
    users, items = tower.user_vectors()[validation.users], tower.item_vectors()
    parts = [slice(begin, begin + step) for begin in range(0, len(users), step)]
    hit = np.concatenate([hits(users[p] @ items.T, validation.had[p], validation.relevant[p], 20) for p in parts])
    return float(ndcg_of_sets(hit, np.diff(validation.relevant.indptr)).mean())
