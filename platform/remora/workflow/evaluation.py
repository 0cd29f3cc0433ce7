"""The step that judges every surface on the test window: popularity, retrieval alone and the whole of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict

from remora.core.artifacts import Artifact, ArtifactStore
from remora.core.errors import DataError, NotFound
from remora.core.home import Home
from remora.datasets.labelled_slates import slates_of
from remora.datasets.queries import without_targets
from remora.datasets.splits import time_split
from remora.evaluation.metrics.chosen import metrics_at
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.reliability import Reliability, by_segment
from remora.evaluation.reliability_plot import reliability_plot
from remora.evaluation.replay import ReplayState
from remora.evaluation.report import EvaluationReport, report
from remora.ingest.lake import Lake
from remora.pipeline.merge_weights import MergeWeights
from remora.ranking.ranker import Ranker
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import EVALUATE, INGEST, MERGE, RANKING, RETRIEVAL
from remora.training import merge
from remora.training.ranking_examples import ExampleBuilder
from remora.training.unfound import without_target
from remora.wiring.replay_state import ReplayStates
from remora.wiring.surface_windows import SurfaceWindows
from remora.workflow import cold_start

REPORT, PLOT = "report.json", "reliability.svg"


def evaluation_artifacts(home: Home) -> ArtifactStore:
    """Where reports are kept."""
    return EVALUATE.artifacts(home)


class Evaluation(BaseModel):
    """The reports of all surfaces that could be judged; ``ranked_surface`` is the one that the ranker learns from."""

    model_config = ConfigDict(frozen=True)

    ranked_surface: str
    surfaces: dict[str, EvaluationReport]

    @property
    def ranked(self) -> EvaluationReport:
        """That of the surface that the ranker learns from."""
        return self.surfaces[self.ranked_surface]

    def of(self, surface: str) -> EvaluationReport:
        """That of one surface. NotFound says which there are."""
        if surface not in self.surfaces:
            raise NotFound("report of a surface", surface, f"There are: {', '.join(self.surfaces)}.")
        return self.surfaces[surface]


def read_evaluation(artifact: Artifact) -> Evaluation:
    """What an evaluation found."""
    return artifact.read_document(REPORT, Evaluation)


@builds(EVALUATE, first=merge.choose_weights)
def evaluate(build: Build) -> dict[str, Any]:
    """Replay the test window over every surface; an unchanged evaluation reuses its result.

    The towers and the ranker are those of the current artifacts, which saw nothing after the validation window;
    co-visitation is counted at the start of the test window and items are refreshed within it, as in production. A
    surface about an item is asked about the one that the user wanted last.
    """
    home, settings, lake = build.home, build.settings, Lake(build.inputs[INGEST.artifact])
    retrieval, ranking = build.inputs[RETRIEVAL.artifact], build.inputs[RANKING.artifact]
    towers = Towers.load(home.local_copy(retrieval.folder), settings.retrieval.history_encoder)
    ranker = Ranker.load(home.local_copy(ranking.folder), settings.ranking.learned, towers.encoder.item_vectors)
    test = TestWindow.of(settings, lake, towers, ranker, merge.read_weights(build.inputs[MERGE.artifact]))
    ranked = settings.ranking.surface
    found = test.compared(lambda moments: moments.compared)
    found = found.model_copy(update={"reliability": _reliability(settings, lake, retrieval, ranker)})
    if settings.evaluation.cold_start_holdout_fraction:
        found = found.model_copy(update={"cold_start": cold_start.measure(settings)})
    reports = {ranked: found}
    for name in settings.surfaces:
        if name != ranked and (report := test.compared_if_asked(lambda moments: moments.compared, name)) is not None:
            reports[name] = report
    evaluation = Evaluation(ranked_surface=ranked, surfaces=reports)
    home.write_bytes(f"{build.staging.folder}/{REPORT}", json.dumps(evaluation.model_dump(), indent=1).encode())
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


@dataclass(frozen=True, kw_only=True)
class TestWindow:
    """The test window, and the models that are replayed over it."""

    windows: SurfaceWindows
    towers: Towers
    ranker: Ranker
    merge_weights: Mapping[str, MergeWeights]

    __test__ = False  # no test, whatever pytest thinks of the name

    @classmethod
    def of(
        cls,
        settings: Settings,
        lake: Lake,
        towers: Towers,
        ranker: Ranker,
        merge_weights: Mapping[str, MergeWeights] = MappingProxyType({}),
    ) -> TestWindow:
        """With at most ``evaluation.max_queries`` queries."""
        chosen = settings.evaluation
        windows = SurfaceWindows(
            settings=settings,
            lake=lake,
            window=time_split(settings, lake).test,
            most=chosen.max_queries,
            seed=chosen.seed,
        )
        return cls(windows=windows, towers=towers, ranker=ranker, merge_weights=merge_weights)

    def compared(self, moment_at: Callable[[ReplayStates], Callable[[datetime], ReplayState]]) -> EvaluationReport:
        """Replay the ranked surface through the systems that ``moment_at`` makes of its moments.

        DataError when the window has no query with a target.
        """
        settings = self.windows.settings
        found = self.compared_if_asked(moment_at, settings.ranking.surface)
        if found is None:
            raise DataError(without_target(settings, self.windows.window))
        return found

    def compared_if_asked(
        self, moment_at: Callable[[ReplayStates], Callable[[datetime], ReplayState]], surface: str
    ) -> EvaluationReport | None:
        """The same of any surface; None where no query can be asked of it."""
        settings, (asked, window) = self.windows.settings, self.windows.of(surface)
        if window is None:
            return None
        chosen = settings.evaluation
        metrics = metrics_at(chosen.cutoffs, window.catalogue, chosen.metrics)
        moments = window.moments(self.towers, self.ranker, surface=surface, merge_weights=self.merge_weights)
        replay = window.replay(moment_at(moments), metrics, surface)
        sums = replay_on_ray(replay, asked, tasks=settings.features.partitions)
        return report(sums, chosen, without_targets=without_targets(asked)) if len(sums.users) else None
