"""Protocol `leave-last-out`: the next item among all, members and their merge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.retrieval.data import Sequences, sequences, shape_of
from benchmarks.retrieval.measure import PerUser, Scores, blocks, gathered, judge_next, of_next, summarised

from remora.contracts.home import Home
from remora.retrieval.histories import Histories
from remora.retrieval.linear.next_item import NextItem, recent
from remora.retrieval.merged import choose_weights, merged
from remora.retrieval.plan import SequencePlan, plan_sequences
from remora.retrieval.sequence_tower import SequenceTower
from remora.training.fitting import Resources, described, fit_sequences
from remora.training.sequence_tower import Asked, SequenceInputs, SequenceSchedule, user_vectors

Note = Callable[[str], None]
METRIC = "ndcg@10"
VALIDATION_SCORES = 80_000_000
PAST_DECAYS, RIDGES, FUTURE_DECAY = (1.5, 4.0, 10.0), (10.0, 30.0, 100.0, 300.0, 1000.0), 0.5
LONGEST = 200


def run(
    folder: Path, work: Path, *, seed: int, seconds: float, workers: int, changes: dict[str, Any], note: Note
) -> dict[str, Any]:
    """Everything that is reported."""
    data = sequences(folder)
    train = data.train
    plan = changed(plan_sequences(train), changes)
    draw = np.random.default_rng(seed)
    most = max(500, VALIDATION_SCORES // data.whole.items)
    users = data.asked if len(data.asked) <= most else np.sort(draw.choice(data.asked, most, replace=False))
    had, wanted = data.question(2, users)
    judge = judge_next(had, wanted, METRIC)
    begun = time.perf_counter()
    members: dict[str, Callable[[Histories], Scores]] = {}
    popular = np.bincount(train.flat, minlength=train.items).astype(np.float32)
    members["popularity"] = lambda h: np.tile(popular, (len(h), 1))
    spent = {}
    if plan.next_item:
        at = time.perf_counter()
        members["next_item"], chosen = next_item(train, had, judge, note)
        spent["next_item"] = time.perf_counter() - at
    else:
        chosen = {}
    at = time.perf_counter()
    tower, epochs = sequence_tower(
        plan, train, Asked(histories=had, targets=wanted), work, seed, seconds, workers, note
    )
    members["sequence_tower"] = lambda h: tower_scores(tower, h)
    spent["sequence_tower"] = time.perf_counter() - at
    weights = choose_weights({name: score(had) for name, score in members.items()}, judge)
    note(f"weights chosen on validation: {weights}")
    trained = time.perf_counter() - begun
    found = tested(data, members, weights)
    return {
        "data": shape_of(data),
        "plan": {**vars(plan), "spec": plan.spec.to_json(), "next_item": chosen},
        "weights": weights,
        "epochs": len(epochs),
        "training": epochs,
        "seconds": {name: round(value, 1) for name, value in spent.items()} | {"all": round(trained, 1)},
        **summarised(found, ("hr@10", METRIC), seed),
    }


def changed(plan: SequencePlan, changes: dict[str, Any]) -> SequencePlan:
    """The plan with what --config says otherwise; fields of the tower and of the plan alike."""
    spec = {k: v for k, v in changes.items() if k in plan.spec.to_json()}
    rest = {k: v for k, v in changes.items() if k not in spec}
    if unknown := sorted(set(rest) - set(vars(plan))):
        known = sorted({*vars(plan), *plan.spec.to_json()} - {"spec", "items"})
        raise SystemExit(f"--config has {', '.join(unknown)}, which no plan knows. Known: {', '.join(known)}.")
    return replace(plan, spec=replace(plan.spec, **spec), **rest)


def next_item(
    train: Histories, had: Histories, judge: Callable[[Scores], float], note: Note
) -> tuple[Callable[[Histories], Scores], dict[str, float]]:
    """The linear model of the next item, decay first and ridge then, both by validation."""
    windows = [train[user][-LONGEST:] for user in range(len(train))]
    best: tuple[float, dict[str, float], NextItem] | None = None

    def attempt(past_decay: float, ridge: float) -> bool:
        """Is it the best so far?"""
        nonlocal best
        model = NextItem.fit(windows, train.items, past_decay=past_decay, future_decay=FUTURE_DECAY, ridge=ridge)
        quality = judge(_linear(model, had))
        note(f"next item, decay {past_decay}, ridge {ridge}: validation {METRIC} {quality:.4f}")
        if best is not None and quality <= best[0]:
            return False
        best = quality, {"past_decay": past_decay, "ridge": ridge}, model
        return True

    middle = len(RIDGES) // 2
    for decay in PAST_DECAYS:
        attempt(decay, RIDGES[middle])
    assert best is not None
    decay = best[1]["past_decay"]

    def climb(ridges: tuple[float, ...]) -> bool:
        """Go on while it helps. Did it?"""
        return bool(list(takewhile(lambda ridge: attempt(decay, ridge), ridges)))

    climb(RIDGES[middle + 1 :]) or climb(RIDGES[:middle][::-1])
    _, chosen, model = best
    return (lambda histories: _linear(model, histories)), chosen


def _linear(model: NextItem, histories: Histories) -> Scores:
    return model.scores(recent([histories[n] for n in range(len(histories))], histories.items, model.past_decay))


def sequence_tower(
    plan: SequencePlan,
    train: Histories,
    validation: Asked,
    work: Path,
    seed: int,
    seconds: float,
    workers: int,
    note: Note,
) -> tuple[SequenceTower, list[dict[str, Any]]]:
    """Trained by the platform's own trainer."""
    import torch

    schedule = SequenceSchedule(
        epochs=plan.epochs,
        batch_users=plan.batch_users,
        learning_rate=plan.learning_rate,
        loss=plan.loss,
        negatives=plan.negatives,
        popularity=0.0,
        weight_decay=0.0,
        patience=plan.patience,
        seconds=seconds,
        seed=seed,
    )

    tower, epochs = fit_sequences(
        Home(str(work)),
        f"{plan.spec.encoder}-{seed}",
        SequenceInputs(spec=plan.spec, train=train, validation=validation),
        schedule,
        Resources(workers=workers, threads=max(1, 2 // workers), use_gpu=torch.cuda.is_available()),
        on_epoch=lambda epoch: note(described(epoch)),
    )
    kept = ("epoch", "loss", METRIC, "seconds", "examples_per_second", "data_wait")
    return tower, [{name: round(float(epoch[name]), 5) for name in kept} for epoch in epochs]


def tower_scores(tower: SequenceTower, histories: Histories) -> Scores:
    """Scores (n, items)."""
    return user_vectors(tower, histories) @ tower.vectors().detach().cpu().numpy().T


def tested(
    data: Sequences, members: dict[str, Callable[[Histories], Scores]], weights: dict[str, float]
) -> dict[str, PerUser]:
    """Every member and their merge on the test items, user by user."""
    parts: dict[str, list[PerUser]] = {name: [] for name in [*members, "merged"]}
    for block in blocks(len(data.asked), data.whole.items):
        had, wanted = data.question(1, data.asked[block])
        scores = {name: score(had) for name, score in members.items()}
        scores["merged"] = merged(scores, weights)
        for name, found in scores.items():
            parts[name].append(of_next(found, had, wanted))
    return {name: gathered(found) for name, found in parts.items()}
