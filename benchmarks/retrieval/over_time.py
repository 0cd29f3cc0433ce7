"""Protocol `time`: members as surfaces of the platform, trained by its steps and asked by its replay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.command import Note
from benchmarks.retrieval.data import read

from remora.core.home import Home
from remora.datasets.queries import queries, sampled
from remora.datasets.splits import time_split
from remora.evaluation.accumulator import ReplaySums
from remora.evaluation.bootstrap import Bootstrap
from remora.evaluation.metrics.chosen import metrics_at
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.replay import ReplayState
from remora.evaluation.segments import ALL
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.steps.path import RETRIEVAL
from remora.surfaces.build import pipeline_of
from remora.wiring.replay_state import ReplayStates
from remora.wiring.replay_window import ReplayWindow
from remora.workflow import path

STEPS = ("ingest", "feature-build", "feast-apply", "train-retrieval", "train-models")
METRICS = (("recall", 20), ("ndcg", 20))
MODELS: Mapping[str, Any] = {
    "sequential_tower": {"type": "sequential"},
    "ligr": {"type": "sequential", "encoder": "ligr"},
    "matrix_factorization": {},
    "ease": {"type": "linear", "model": "ease"},
    "graph_filter": {"type": "linear", "model": "graph_filter"},
}
"""Beside the two towers and those that are there by default: next item (``linear``) and co-visitation."""
SOURCES: Mapping[str, Any] = {
    "two_tower": {"type": "nearest_items"},
    "sequential_tower": {"type": "nearest_items", "model": "sequential_tower"},
    "ligr": {"type": "nearest_items", "model": "ligr"},
    "matrix_factorization": {"type": "nearest_items", "model": "matrix_factorization"},
    "ease": {"type": "from_history", "model": "ease"},
    "graph_filter": {"type": "from_history", "model": "graph_filter"},
    "next_item": {"type": "from_history", "model": "linear"},
    "co_visitation": {"type": "from_history", "model": "co_visitation"},
}
RULES: Mapping[str, Any] = {"seen_items": {}, "unavailable_items": {}}


def run(
    folder: Path, work: Path, *, seed: int, seconds: float, workers: int, changes: dict[str, Any], note: Note
) -> dict[str, Any]:
    """Everything that is reported. ``changes`` are settings of models, by the names of :data:`MODELS`.

    A training ends when its validation no longer gains, so ``seconds`` is not asked.
    """
    events = read(folder, ["user_id", "item_id", "event_timestamp"])
    settings = settings_of(folder, work, seed=seed, workers=workers, changes=changes)
    took: dict[str, float] = {}
    for name in STEPS:
        done = path.run_step(path.step_named(name), settings)
        took[name] = round(done.seconds, 1)
        note(f"{name}: {done.seconds:.1f} s")
    found, asked = replayed(settings)
    bootstrap = settings.evaluation
    columns = [column for column in found.columns if column.segment == ALL]
    at = [found.columns.index(column) for column in columns]
    means = Bootstrap.over_users(
        found.totals[:, at], found.counts[:, at], samples=bootstrap.bootstrap_samples, seed=bootstrap.seed
    )
    members: dict[str, dict[str, float]] = {name: {} for name in (*SOURCES, "merged")}
    intervals: dict[str, list[float | None]] = {}
    for number, column in enumerate(columns):
        estimate, metric = means.interval(number), f"{column.metric}@{column.cutoff}"
        members[column.system][metric] = round(float(estimate.mean or 0.0), 5)
        if column.system == "merged":
            intervals[metric] = [estimate.low, estimate.high]
    return {
        "data": {"events": len(events), "queries": asked},
        "weights": {},
        "members": members,
        "intervals": intervals,
        "seconds": took,
        **members["merged"],
    }


def settings_of(folder: Path, work: Path, *, seed: int, workers: int, changes: Mapping[str, Any]) -> Settings:
    """A product whose surfaces are one member each, and all of them merged by reciprocal ranks."""
    source = {
        "path": str(folder / "events.parquet"),
        "format": "parquet",
        "columns": {name: name for name in ("user_id", "item_id", "event_timestamp")},
        "event_type": "had",
    }
    if unknown := sorted(set(changes) - set(MODELS)):
        raise SystemExit(f"--config has {', '.join(unknown)}, which is no model. There are: {', '.join(MODELS)}.")
    models = {name: {"type": name, **own, **changes.get(name, {})} for name, own in MODELS.items()}
    surfaces = {f"only_{name}": {"sources": {name: own}, "filters": RULES} for name, own in SOURCES.items()}
    merged = {"sources": SOURCES, "filters": RULES, "scorer": "reciprocal_rank_fusion"}
    return Settings.model_validate(
        {
            "name": "members",
            "home": str(work / "home"),
            "data": {"events": [source], "event_types": {"had": {}}, "clock": "data"},
            "retrieval": {"models": models, "workers": workers, "seed": seed},
            "surfaces": surfaces | {"merged": merged},
            "evaluation": {"metrics": [name for name, _ in METRICS], "cutoffs": [20], "max_queries": 5_000},
        }
    )


def replayed(settings: Settings) -> tuple[ReplaySums, int]:
    """The sums of every surface over the test window, and how many queries were asked."""
    home = Home(settings.home)
    lake, chosen = Lake.open(home), settings.evaluation
    window = time_split(settings, lake).test
    asked = sampled(queries(settings, lake, window), chosen.max_queries, chosen.seed)
    past = ReplayWindow.prepare(settings, lake, open_store(settings), window, asked, lake.vocabulary())
    folder = home.local_copy(RETRIEVAL.artifacts(home).current().folder)
    towers = Towers.load(folder, settings.retrieval.history_encoder)
    surfaces = AllSurfaces(past.moments(towers, None))
    replay = past.replay(surfaces.at, metrics_at(chosen.cutoffs, past.catalogue, chosen.metrics))
    return replay_on_ray(replay, asked, tasks=settings.features.partitions), len(asked)


@dataclass(frozen=True)
class AllSurfaces:
    """The surface of each member and the merged one, as the systems of a replay."""

    moments: ReplayStates

    def at(self, instant: datetime) -> ReplayState:
        context = self.moments.context(instant)
        names = {name: f"only_{name}" for name in SOURCES} | {"merged": "merged"}
        return ReplayState(
            pipelines={system: pipeline_of(context, surface) for system, surface in names.items()},
            item_events=np.nan_to_num(context.snapshot.column("item_activity__count_total")),
        )
