"""The step that trains the ranker on what retrieval would have found, and makes the artifact `ranking`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remora.core.artifacts import ArtifactStore
from remora.core.home import Home
from remora.datasets.logged_features import LOGGED
from remora.datasets.splits import time_split
from remora.evaluation.segments import ALL
from remora.fitting.progress import Report
from remora.ingest.lake import Lake
from remora.ranking.network.training import NDCG
from remora.retrieval.two_tower import Towers
from remora.steps import Build, builds
from remora.steps.path import RANKING, RETRIEVAL, SLATES
from remora.training import ranking_examples
from remora.training.leakage import leaks
from remora.training.ranking_data import read_windows
from remora.training.ranking_fit import Fit
from remora.training.ranking_report import RankingReport, html
from remora.training.tracking import tracked

REPORT = "report.json"


def ranking_artifacts(home: Home) -> ArtifactStore:
    """Where versions of the ranker are kept."""
    return RANKING.artifacts(home)


@builds(RANKING, first=ranking_examples.make)
def train(build: Build, on_report: Callable[[Report], None] | None = None) -> dict[str, Any]:
    """Train on the ranking window, choose on the validation window; an unchanged version is reused.

    ``on_report`` is called now and then with what a model reports of its training: numbers by name, the ``round`` or
    the ``epoch`` among them, and which ``model`` it is. The default logs a line.
    """
    home, settings, name = build.home, build.settings, build.version
    retrieval, rows, lake = build.inputs[RETRIEVAL.artifact], build.inputs[SLATES.artifact], Lake.open(home)
    data = read_windows(rows, lake)
    suspected = leaks(settings, lake, time_split(settings, lake).ranking, data.train, data.columns)
    towers = Towers.load(home.local_copy(retrieval.folder), settings.retrieval.history_encoder)
    vectors = towers.encoder.item_vectors
    params = settings.ranking.model_dump() | {"retrieval": retrieval.version, "rows": len(data.train.batch)}
    with tracked(settings, RANKING.artifact, name, params) as run:
        fit = Fit(settings=settings, home=home, version=name, data=data, vectors=vectors, run=run, say=on_report)
        fitted = fit.ranker()
        report = fitted.report(settings, name, data, suspected, fit.curves)
        metrics = _metrics(report)
        run.metrics(metrics)
    staging = build.staging
    with tempfile.TemporaryDirectory() as folder:
        fitted.ranker.save(Path(folder))
        served = staging.add(Path(folder))
    home.write_bytes(f"{staging.folder}/{REPORT}", report.model_dump_json(indent=1).encode())
    home.write_bytes(f"{staging.folder}/report.html", html(report))
    build.once_committed(fit.forget)
    return {"metrics": metrics, "run": run.run_id, "served": served, "rows": rows.metadata["rows"]}


def _metrics(report: RankingReport) -> dict[str, float]:
    """The report's numbers by name."""
    train, judged = report.data
    found: dict[str, float] = {"queries": train.slates, "rows": train.rows, "validation_queries": judged.slates}
    found |= {"rows_logged": train.origins[LOGGED]} if train.origins else {}
    for one in report.quality:
        found |= {f"validation_{NDCG}_{one.model}_{name}": value for name, value in one.ndcg.items()}
        found[f"ms_for_500_{one.model}"] = one.timing.p50_ms
    found |= {f"calibration_error_{one.objective}": one.error for one in report.reliability if one.segment == ALL}
    return found
