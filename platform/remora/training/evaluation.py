"""The step that judges: popularity, co-visitation, retrieval alone and the whole surface, on the test window."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from remora.contracts.artifacts import Artifact, ArtifactStore
from remora.contracts.errors import DataError
from remora.contracts.home import Home
from remora.datasets.labelled_slates import slates_of
from remora.datasets.queries import queries, sampled, without_targets
from remora.datasets.splits import time_split
from remora.evaluation.metrics.chosen import metrics_at
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.reliability import Reliability, by_segment
from remora.evaluation.reliability_plot import reliability_plot
from remora.evaluation.replay import ReplayState
from remora.evaluation.report import EvaluationReport, report
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.ranking.ranker import Ranker
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import EVALUATE, INGEST, RANKING, RETRIEVAL
from remora.training import cold_start
from remora.training.ranking_examples import ExampleBuilder
from remora.training.unfound import without_target
from remora.wiring.replay_state import ReplayStates
from remora.wiring.replay_window import ReplayWindow

REPORT, PLOT = "report.json", "reliability.svg"

log = logging.getLogger(__name__)


def evaluation_artifacts(home: Home) -> ArtifactStore:
    """Where reports are kept."""
    return EVALUATE.artifacts(home)


def read_report(artifact: Artifact) -> EvaluationReport:
    """What an evaluation found."""
    return artifact.read_document(REPORT, EvaluationReport)


@builds(EVALUATE)
def evaluate(build: Build) -> dict[str, Any]:
    """Replay the test window; an unchanged evaluation reuses its result.

    The towers and the ranker are those of the current artifacts, which saw nothing after the validation window;
    co-visitation is counted at the start of the test window and items are refreshed within it, as in production.
    """
    home, settings, lake = build.home, build.settings, Lake(build.inputs[INGEST.artifact])
    retrieval, ranking = build.inputs[RETRIEVAL.artifact], build.inputs[RANKING.artifact]
    towers = Towers.load(home.local_copy(retrieval.folder))
    ranker = Ranker.load(home.local_copy(ranking.folder), settings.ranking.learned, towers.encoder.item_vectors)
    found = compared(settings, lake, towers, ranker, lambda moments: moments.compared)
    found = found.model_copy(update={"reliability": _reliability(settings, lake, retrieval, ranker)})
    if settings.evaluation.cold_start_holdout_fraction:
        found = found.model_copy(update={"cold_start": cold_start.measure(settings)})
    home.write_bytes(f"{build.staging.folder}/{REPORT}", json.dumps(found.model_dump(), indent=1).encode())
    home.write_bytes(f"{build.staging.folder}/{PLOT}", reliability_plot(found.reliability))
    return {}


def _reliability(settings: Settings, lake: Lake, retrieval: Artifact, ranker: Ranker) -> tuple[Reliability, ...]:
    """What the ranker predicts for candidates of the test window, and their outcomes."""
    chosen, past = settings.ranking, ExampleBuilder(settings=settings, lake=lake, retrieval=retrieval)
    rows, histories = past.slates(
        time_split(settings, lake).test,
        negatives=chosen.validation_negatives,
        most=chosen.validation_queries,
        every_query=True,
    )
    found = slates_of(rows, histories, ranker.columns, lake.vocabulary())
    return by_segment(ranker.score(found.batch), found, settings.evaluation)


def compared(
    settings: Settings,
    lake: Lake,
    towers: Towers,
    ranker: Ranker,
    moment_at: Callable[[ReplayStates], Callable[[datetime], ReplayState]],
) -> EvaluationReport:
    """Replay the test window through the systems that ``moment_at`` makes of its moments.

    DataError when the window has no query with a target.
    """
    window = time_split(settings, lake).test
    chosen = settings.evaluation
    found = queries(settings, lake, window)
    query_rows = sampled(found, chosen.max_queries, chosen.seed)
    if not len(query_rows):
        raise DataError(without_target(settings, window))
    log.info("%d of %d queries between %s and %s", len(query_rows), len(found), window.start.date(), window.end.date())
    past = ReplayWindow.prepare(settings, lake, open_store(settings), window, query_rows, lake.vocabulary())
    metrics = metrics_at(chosen.cutoffs, past.catalogue, chosen.metrics)
    replay = past.replay(moment_at(past.moments(towers, ranker)), metrics)
    sums = replay_on_ray(replay, query_rows, tasks=settings.features.partitions)
    return report(sums, chosen, without_targets=without_targets(query_rows))
