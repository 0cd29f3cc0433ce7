"""The step that judges: popularity, co-visitation, retrieval alone and the whole surface, on the test window."""

from __future__ import annotations

import json
import logging

import remora
from remora.contracts.artifacts import Artifact, Shelf, fingerprint
from remora.contracts.errors import DataError
from remora.contracts.home import Home
from remora.datasets.cuts import time_cuts
from remora.datasets.queries import queries, without_targets
from remora.evaluation.catalogue import Catalogue
from remora.evaluation.metrics.table import metrics_at
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.replay import Replay
from remora.evaluation.report import EvaluationReport, report
from remora.features.replay import ReplayUsers
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.ranking.ranker import Ranker
from remora.settings import Settings
from remora.training import cold_start
from remora.training.ranking import ranking_shelf
from remora.training.retrieval import retrieval_shelf
from remora.wiring.moments import Moments, snapshots
from remora.wiring.parts import ItemLists, Towers

NAME, REPORT = "evaluation", "report.json"

log = logging.getLogger(__name__)


def evaluation_shelf(home: Home) -> Shelf:
    """Where reports are kept."""
    return Shelf(home, NAME, "remora evaluate")


def read_report(artifact: Artifact) -> EvaluationReport:
    """What an evaluation found."""
    return EvaluationReport.model_validate(artifact.read_json(REPORT))


def evaluate(settings: Settings) -> Artifact:
    """Replay the test window; an unchanged evaluation is a look-up.

    The towers and the ranker are those of the current artifacts, which saw nothing after the validation window;
    co-visitation is counted at the start of the test window and items are refreshed within it, as in production.
    """
    home = Home(settings.home)
    lake = Lake.open(home)
    retrieval, ranking = retrieval_shelf(home).current(), ranking_shelf(home).current()
    name = fingerprint(
        ranking=ranking.version,
        weights={name: objective.weight for name, objective in settings.objectives.items()},
        evaluation=settings.evaluation.model_dump(),
        surface=settings.surfaces.home_feed.model_dump(),
        sources=settings.retrieval.model_dump(),
        code=remora.__version__,
    )
    shelf = evaluation_shelf(home)
    if (done := shelf.find(name)) is not None:
        shelf.point(name)
        return done
    found = _replay(settings, lake, retrieval, ranking)
    if settings.evaluation.cold_start_items:
        found = found.model_copy(update={"cold_start": cold_start.measure(settings)})
    draft = shelf.draft(name)
    home.write_bytes(f"{draft.folder}/{REPORT}", json.dumps(found.model_dump(), indent=1).encode())
    return shelf.publish(draft, retrieval=retrieval.version, ranking=ranking.version, lake=lake.version)


def _replay(settings: Settings, lake: Lake, retrieval: Artifact, ranking: Artifact) -> EvaluationReport:
    window = time_cuts(settings, lake).test
    store, vocabulary = open_store(settings), lake.vocabulary()
    asked = queries(settings, lake, window)
    if not len(asked):
        raise DataError(f"Nobody wanted anything new between {window.start} and {window.end}: nothing to judge by.")
    log.info("%d queries between %s and %s", len(asked), window.start.date(), window.end.date())
    towers = Towers.load(retrieval.home.local_copy(retrieval.folder))
    moments = Moments(
        settings=settings,
        towers=towers,
        lists=ItemLists.learn(lake, vocabulary, settings, window.start),
        ranker=Ranker.load(ranking.home.local_copy(ranking.folder), towers.encoder.item_vectors),
        snapshots=snapshots(settings, lake, store, asked),
    )
    first = moments.snapshots[0]
    catalogue = Catalogue(popularity=first.popularity, categories=first.categories)
    replay = Replay(
        vocabulary=vocabulary,
        hydrator=ReplayUsers.prepare(store, lake, vocabulary, settings, asked),
        moment_at=moments.compared,
        metrics=metrics_at(settings.evaluation.cutoffs, catalogue),
        settings=settings.evaluation,
    )
    tally = replay_on_ray(replay, asked, tasks=settings.features.partitions)
    return report(tally, settings.evaluation, without_targets=without_targets(asked))
