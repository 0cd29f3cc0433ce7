"""Protocol `split`: all items ranked for each user, members and their merge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from benchmarks.command import Note
from benchmarks.retrieval.data import Pairs, pairs, shape_of
from benchmarks.retrieval.ensemble import choose_weights, ensemble
from benchmarks.retrieval.hyperparameter_rules import GRAM_ITEMS, PairPlan, plan_pairs
from benchmarks.retrieval.measure import PerUser, Scores, blocks, gathered, measure_pairs, of_pairs, summarised

from remora.core.home import Home
from remora.fitting.torch_runs import Resources, described
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.linear.ease import Ease
from remora.retrieval.linear.graph_filter import GraphFilter
from remora.retrieval.linear.model import LinearModel
from remora.retrieval.matrix_factorization import MatrixFactorization, PairSpec
from remora.retrieval.training_inputs import PairInputs, PairSchedule, PairValidation
from remora.settings.components import LossChoice
from remora.training.fitting import fit_pairs

Scorer = Callable[[np.ndarray, sp.csr_array], Scores]  # of user rows and what they had
METRIC = "ndcg@20"
LOW_PASSES, SHARPENINGS = (0.1, 0.2, 0.4), (0.0, 1.5, 2.5)
EASE_RIDGES = (100.0, 500.0)


def run(
    folder: Path, work: Path, *, seed: int, seconds: float, workers: int, changes: dict[str, Any], note: Note
) -> dict[str, Any]:
    """Everything that is reported."""
    data = pairs(folder, seed)
    plan = changed(plan_pairs(*data.train.shape, data.train.nnz), changes)
    asked = np.flatnonzero(np.diff(data.validation.indptr))
    judged = asked if len(asked) <= plan.judged else np.random.default_rng(seed).permutation(asked)[: plan.judged]
    had, relevant = data.train[judged], data.validation[judged]
    measure = measure_pairs(had, relevant, METRIC)
    begun = time.perf_counter()
    scorers: dict[str, Scorer] = {"popularity": popularity(data.train)}
    final: dict[str, Scorer] = {"popularity": popularity(data.all_train)}
    spent: dict[str, float] = {}

    at = time.perf_counter()
    graph, chosen = graph_filter(data.train, plan, had, measure, note)
    scorers["graph_filter"] = linear(graph)
    spent["graph_filter"] = time.perf_counter() - at
    if data.train.shape[1] <= GRAM_ITEMS:
        at = time.perf_counter()
        models = {ridge: Ease.fit(data.train, ridge=ridge) for ridge in EASE_RIDGES}
        chosen["ridge"] = max(models, key=lambda ridge: measure(models[ridge].scores(had)))
        scorers["ease"] = linear(models[chosen["ridge"]])
        spent["ease"] = time.perf_counter() - at
    at = time.perf_counter()
    tower, epochs = matrix_factorization(plan, data, judged, graph, work, seed, seconds, workers, note)
    scorers["matrix_factorization"] = factors(tower)
    spent["matrix_factorization"] = time.perf_counter() - at

    weights = choose_weights({name: score(judged, had) for name, score in scorers.items()}, measure)
    note(f"weights chosen on validation: {weights}")
    final["graph_filter"] = linear(_graph(data.all_train, plan.rank, chosen["low_pass"], chosen["sharpening"]))
    if "ease" in scorers:
        final["ease"] = linear(Ease.fit(data.all_train, ridge=chosen["ridge"]))
    final["matrix_factorization"] = scorers["matrix_factorization"]
    trained = time.perf_counter() - begun
    found = tested(data, final, weights, note)
    return {
        "data": shape_of(data),
        "plan": {**vars(plan), **chosen},
        "weights": weights,
        "epochs": len(epochs),
        "training": epochs,
        "seconds": {name: round(value, 1) for name, value in spent.items()} | {"all": round(trained, 1)},
        **summarised(found, ("recall@20", METRIC), seed),
    }


def changed(plan: PairPlan, changes: dict[str, Any]) -> PairPlan:
    """The plan with what --config says otherwise."""
    if unknown := sorted(set(changes) - set(vars(plan))):
        raise SystemExit(f"--config has {', '.join(unknown)}, which no plan knows. Known: {', '.join(vars(plan))}.")
    return replace(plan, **changes)


def popularity(train: sp.csr_array) -> Scorer:
    """The same for everyone."""
    counts = np.asarray(train.sum(axis=0), np.float32).ravel()
    return lambda users, had: np.tile(counts, (len(users), 1))


def linear(model: LinearModel) -> Scorer:
    """From what users had."""
    return lambda users, had: model.scores(had)


def factors(tower: MatrixFactorization) -> Scorer:
    """From the users' own vectors."""
    users, items = tower.user_vectors(), tower.item_vectors()
    return lambda rows, had: users[rows] @ items.T


def _graph(train: sp.csr_array, rank: int, low_pass: float, sharpening: float) -> GraphFilter:
    return GraphFilter.fit(train, rank=rank, low_pass=low_pass, sharpening=sharpening)


def graph_filter(
    train: sp.csr_array, plan: PairPlan, had: sp.csr_array, measure: Callable[[Scores], float], note: Note
) -> tuple[GraphFilter, dict[str, float]]:
    """One decomposition; how much low pass, then how much sharpening, by validation."""
    model = _graph(train, plan.rank, 0.0, 0.0)

    @cache
    def quality(low_pass: float, sharpening: float) -> float:
        found = measure(replace(model, low_pass=low_pass, sharpening=sharpening).scores(had))
        note(f"graph filter, low pass {low_pass}, sharpening {sharpening}: validation {METRIC} {found:.4f}")
        return found

    sharpness = SHARPENINGS[-1]
    low_pass = max(LOW_PASSES, key=lambda one: quality(one, sharpness))
    sharpness = max(SHARPENINGS, key=lambda one: quality(low_pass, one))
    return replace(model, low_pass=low_pass, sharpening=sharpness), {"low_pass": low_pass, "sharpening": sharpness}


def matrix_factorization(
    plan: PairPlan,
    data: Pairs,
    judged: np.ndarray,
    graph: GraphFilter,
    work: Path,
    seed: int,
    seconds: float,
    workers: int,
    note: Note,
) -> tuple[MatrixFactorization, list[dict[str, Any]]]:
    """Trained by the platform's own trainer, from the graph's smoothest directions on."""
    import torch

    users, items = data.train.shape
    basis = graph.basis[:, : plan.dimension]
    dimension = basis.shape[1]
    train = sp.csr_array(data.train)
    tower, epochs = fit_pairs(
        Home(str(work)),
        f"factors-{seed}",
        PairInputs(
            spec=PairSpec(users=users, items=items, dimension=dimension, temperature=plan.temperature),
            train=Histories(items=items, flat=train.indices.astype(np.int32), ends=train.indptr.astype(np.int64)),
            validation=PairValidation(users=judged, had=train[judged], relevant=data.validation[judged]),
            start=(np.asarray(graph.graph @ basis, np.float32), basis),
        ),
        PairSchedule(
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            learning_rate=plan.learning_rate,
            loss=LossChoice.model_validate("sampled_softmax"),
            negatives=plan.negatives,
            popularity=0.0,
            patience=plan.patience,
            seconds=seconds,
            seed=seed,
        ),
        Resources(workers=workers, threads=max(1, 2 // workers), use_gpu=torch.cuda.is_available()),
        on_epoch=lambda epoch: note(described(epoch)),
    )
    kept = ("epoch", "loss", METRIC, "seconds", "examples_per_second", "data_wait")
    return tower, [{name: round(float(epoch[name]), 5) for name in kept} for epoch in epochs]


def tested(data: Pairs, scorers: dict[str, Scorer], weights: dict[str, float], note: Note) -> dict[str, PerUser]:
    """Every member and their merge on the test items, user by user."""
    had, asked = data.all_train, np.flatnonzero(np.diff(data.test.indptr))
    parts: dict[str, list[PerUser]] = {name: [] for name in [*scorers, "merged"]}
    for place in blocks(len(asked), data.test.shape[1]):
        users = asked[place]
        scores = {name: score(users, had[users]) for name, score in scorers.items()}
        scores["merged"] = ensemble(scores, weights)
        for name, found in scores.items():
            parts[name].append(of_pairs(found, had[users], data.test[users]))
    note(f"tested {len(asked):,} users")
    return {name: gathered(found) for name, found in parts.items()}
