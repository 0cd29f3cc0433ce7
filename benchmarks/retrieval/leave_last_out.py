"""Protocol `leave-last-out`: the next item among all, members and their merge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.command import Note
from benchmarks.retrieval.data import Sequences, sequences, shape_of
from benchmarks.retrieval.ensemble import choose_weights, ensemble
from benchmarks.retrieval.hyperparameter_rules import SequencePlan, plan_sequences
from benchmarks.retrieval.measure import PerUser, Scores, blocks, gathered, measure_next, of_next, summarised

from remora.core.home import Home
from remora.fitting.progress import Report
from remora.fitting.torch_runs import Resources, described
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.item_to_item_lists import LONGEST
from remora.retrieval.linear.co_occurrence import directions
from remora.retrieval.linear.ease import Ease
from remora.retrieval.linear.next_item import NextItem, recent
from remora.retrieval.sequential_tower import SequentialTower, user_vectors
from remora.retrieval.training_inputs import NextItems, SequenceInputs, SequenceSchedule
from remora.settings.components import HistoryEncoderChoice, LossChoice
from remora.training.fitting import fit_sequences

Measure = Callable[[Scores], float]
Member = Callable[[Histories], Scores]
Choice = tuple[dict[str, float], Scores]  # what was chosen, and its scores of the validation users
METRIC = "ndcg@10"
COMPONENTS = {"encoder": HistoryEncoderChoice, "loss": LossChoice}
AGAIN_SECONDS = 0.25
"""Share of the tower's time for its second course."""
VALIDATION_SCORES = 80_000_000
PAST_DECAYS, RIDGES = (1.5, 4.0, 10.0), (10.0, 30.0, 100.0, 300.0, 1000.0)
EASE_RIDGES = (100.0, 500.0)


def run(
    folder: Path, work: Path, *, seed: int, seconds: float, workers: int, changes: dict[str, Any], note: Note
) -> dict[str, Any]:
    """Everything that is reported, twice: of members that learned from the training items alone, as published results
    are (``like_for_like``), and once every member has learned from the validation items as well: the linear ones are
    fitted again, the tower continues from its best epoch."""
    data = sequences(folder)
    train = data.train
    plan = changed(plan_sequences(train), changes)
    draw = np.random.default_rng(seed)
    most = max(500, VALIDATION_SCORES // data.whole.items)
    users = data.asked if len(data.asked) <= most else np.sort(draw.choice(data.asked, most, replace=False))
    had, relevant = data.question(2, users)
    measure = measure_next(had, relevant, METRIC)
    begun = time.perf_counter()
    spent: dict[str, float] = {}
    validated: dict[str, Scores] = {"popularity": popularity(train)(had)}
    chosen: dict[str, dict[str, float]] = {}
    for name, (choose, _) in LINEAR.items() if plan.linear else ():
        at = time.perf_counter()
        chosen[name], validated[name] = choose(train, had, measure, note)
        spent[name] = time.perf_counter() - at
    at = time.perf_counter()
    fit = TowerFit(plan=plan, work=work, seed=seed, workers=workers, note=note)
    tower, epochs = fit.first(train, NextItems(histories=had, targets=relevant), seconds * (1 - AGAIN_SECONDS))
    spent["sequential_tower"] = time.perf_counter() - at
    validated["sequential_tower"] = tower_scores(tower, had)
    weights = choose_weights(validated, measure)
    note(f"weights chosen on validation: {weights}")
    before = tested(data, members_of(train, chosen, tower), weights)
    at = time.perf_counter()
    if plan.again_epochs:
        tower = fit.again(data.all_train, tower, seconds * AGAIN_SECONDS)
    found = tested(data, members_of(data.all_train, chosen, tower), weights)
    spent["again"] = time.perf_counter() - at
    trained = time.perf_counter() - begun
    return {
        "data": shape_of(data),
        "plan": {**vars(plan), "spec": plan.spec.to_json(), "loss": plan.loss.brief, "linear": chosen},
        "weights": weights,
        "epochs": len(epochs),
        "training": epochs,
        "seconds": {name: round(value, 1) for name, value in spent.items()} | {"all": round(trained, 1)},
        "like_for_like": summarised(before, ("hr@10", METRIC), seed),
        **summarised(found, ("hr@10", METRIC), seed),
    }


def members_of(train: Histories, chosen: dict[str, dict[str, float]], tower: SequentialTower) -> dict[str, Member]:
    """Popularity, the linear models as they were chosen, and the tower."""
    linear = {name: LINEAR[name][1](train, chosen[name]) for name in chosen}
    return {"popularity": popularity(train), **linear, "sequential_tower": lambda had: tower_scores(tower, had)}


def changed(plan: SequencePlan, changes: dict[str, Any]) -> SequencePlan:
    """The plan with what --config says otherwise; fields of the tower and of the plan alike."""
    read = {name: kind.model_validate(changes[name]) for name, kind in COMPONENTS.items() if name in changes}
    spec = {k: v for k, v in (changes | read).items() if k in plan.spec.to_json()}
    rest = {k: v for k, v in (changes | read).items() if k not in spec}
    if unknown := sorted(set(rest) - set(vars(plan))):
        known = sorted({*vars(plan), *plan.spec.to_json()} - {"spec", "items"})
        raise SystemExit(f"--config has {', '.join(unknown)}, which no plan knows. Known: {', '.join(known)}.")
    return replace(plan, spec=replace(plan.spec, **spec), **rest)


def popularity(train: Histories) -> Member:
    """The same for everyone."""
    counts = np.bincount(train.flat, minlength=train.items).astype(np.float32)
    return lambda histories: np.tile(counts, (len(histories), 1))


def next_item(train: Histories, chosen: dict[str, float]) -> Member:
    """The linear model of the next item."""
    windows = [history[-LONGEST:] for history in train]
    model = NextItem.fit(windows, train.items, future_decay=NextItem.Config().future_decay, **chosen)
    return lambda histories: model.scores(recent(list(histories), histories.items, chosen["past_decay"]))


def ease(train: Histories, chosen: dict[str, float]) -> Member:
    """What goes with everything that a user had, in whatever order."""
    model = Ease.fit(train.matrix(), **chosen)
    return lambda histories: model.scores(histories.matrix())


def choose_next_item(train: Histories, had: Histories, measure: Measure, note: Note) -> Choice:
    """The decay first, the ridge then, both by validation."""
    best: Choice | None = None
    quality = -1.0

    def attempt(past_decay: float, ridge: float) -> bool:
        """Is it the best so far?"""
        nonlocal best, quality
        chosen = {"past_decay": past_decay, "ridge": ridge}
        scores = next_item(train, chosen)(had)
        found = measure(scores)
        note(f"next item, decay {past_decay}, ridge {ridge}: validation {METRIC} {found:.4f}")
        if better := found > quality:
            best, quality = (chosen, scores), found
        return better

    middle = len(RIDGES) // 2
    for decay in PAST_DECAYS:
        attempt(decay, RIDGES[middle])
    assert best is not None
    decay = best[0]["past_decay"]

    def climb(ridges: tuple[float, ...]) -> bool:
        """Continue while it helps. Did it?"""
        return bool(list(takewhile(lambda ridge: attempt(decay, ridge), ridges)))

    climb(RIDGES[middle + 1 :]) or climb(RIDGES[:middle][::-1])
    return best


def choose_ease(train: Histories, had: Histories, measure: Measure, note: Note) -> Choice:
    """The ridge by validation."""
    tried = [(chosen, ease(train, chosen)(had)) for chosen in ({"ridge": ridge} for ridge in EASE_RIDGES)]
    return max(tried, key=lambda one: measure(one[1]))


LINEAR = {"next_item": (choose_next_item, next_item), "ease": (choose_ease, ease)}


@dataclass(frozen=True, kw_only=True)
class TowerFit:
    """The platform's own trainer, with everything that both fits share."""

    plan: SequencePlan
    work: Path
    seed: int
    workers: int
    note: Note

    def first(
        self, train: Histories, validation: NextItems, seconds: float
    ) -> tuple[SequentialTower, list[dict[str, Any]]]:
        """The best epoch by validation, and what every epoch reported."""
        spec = self.plan.spec
        tower, epochs = self._fit(
            f"{spec.encoder.type}-{self.seed}",
            SequenceInputs(spec=spec, train=train, validation=validation, start=directions(train, spec.dimension)),
            self._schedule(self.plan.epochs, self.plan.learning_rate, seconds),
        )
        kept = ("epoch", "loss", METRIC, "seconds", "examples_per_second", "data_wait")
        return tower, [{name: round(float(epoch[name]), 5) for name in kept} for epoch in epochs]

    def again(self, train: Histories, tower: SequentialTower, seconds: float) -> SequentialTower:
        """A short second course from ``tower`` on, with nothing to judge it by: its length and rate are the plan's."""
        plan = self.plan
        inputs = SequenceInputs(spec=plan.spec, train=train, validation=None, weights=tower.cpu().state_dict())
        schedule = self._schedule(plan.again_epochs, plan.again_rate * plan.learning_rate, seconds)
        return self._fit(f"{plan.spec.encoder.type}-{self.seed}-again", inputs, schedule)[0]

    def _fit(
        self, version: str, inputs: SequenceInputs, schedule: SequenceSchedule
    ) -> tuple[SequentialTower, tuple[Report, ...]]:
        import torch

        threads = max(1, 2 // self.workers)
        resources = Resources(workers=self.workers, threads=threads, use_gpu=torch.cuda.is_available())
        home = Home(str(self.work))
        return fit_sequences(
            home, version, inputs, schedule, resources, on_epoch=lambda epoch: self.note(described(epoch))
        )

    def _schedule(self, epochs: int, learning_rate: float, seconds: float) -> SequenceSchedule:
        plan = self.plan
        return SequenceSchedule(
            epochs=epochs,
            batch_users=plan.batch_users,
            learning_rate=learning_rate,
            loss=plan.loss,
            negatives=plan.negatives,
            popularity=0.0,
            weight_decay=0.0,
            patience=plan.patience,
            seconds=seconds,
            seed=self.seed,
        )


def tower_scores(tower: SequentialTower, histories: Histories) -> Scores:
    """Scores (n, items)."""
    return user_vectors(tower, histories) @ tower.vectors().detach().cpu().numpy().T


def tested(data: Sequences, members: dict[str, Member], weights: dict[str, float]) -> dict[str, PerUser]:
    """Every member and their merge on the test items, user by user."""
    parts: dict[str, list[PerUser]] = {name: [] for name in [*members, "merged"]}
    for block in blocks(len(data.asked), data.whole.items):
        had, relevant = data.question(1, data.asked[block])
        scores = {name: score(had) for name, score in members.items()}
        scores["merged"] = ensemble(scores, weights)
        for name, found in scores.items():
            parts[name].append(of_next(found, had, relevant))
    return {name: gathered(found) for name, found in parts.items()}
