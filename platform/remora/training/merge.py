"""The step that chooses how much each source counts, for every surface, on the validation window."""

from __future__ import annotations

import logging
from typing import Any

from pydantic import BaseModel, ConfigDict

from remora.core.artifacts import Artifact
from remora.datasets.splits import time_split
from remora.evaluation.merge_selection import ChosenWeights, choose
from remora.evaluation.segments import ALL, NEW_USERS
from remora.evaluation.source_ranks import SourceRanks, SourceReplay, source_ranks_on_ray
from remora.ingest.lake import Lake
from remora.pipeline.merge_weights import MergeWeights
from remora.retrieval.two_tower import Towers
from remora.settings import EvaluationSettings, Settings
from remora.steps import Build, builds
from remora.steps.path import MERGE, RETRIEVAL
from remora.training import retrieval_models
from remora.wiring.bundle_contents import MERGE_WEIGHTS
from remora.wiring.surface_windows import SurfaceWindows

REPORT = "report.json"
OTHERS = "others"
MOST_QUERIES = 2_000

log = logging.getLogger(__name__)


class SurfaceMerge(BaseModel):
    """What was chosen for one surface: for all users, and for new ones and for the others where these are enough.

    ``without`` says why nothing was.
    """

    model_config = ConfigDict(frozen=True)

    segments: dict[str, ChosenWeights] = {}
    without: str = ""


class MergeReport(BaseModel):
    """What was chosen for every surface."""

    model_config = ConfigDict(frozen=True)

    surfaces: dict[str, SurfaceMerge]


def read_report(artifact: Artifact) -> MergeReport:
    """What :func:`choose_weights` found."""
    return artifact.read_document(REPORT, MergeReport)


def read_weights(artifact: Artifact) -> dict[str, MergeWeights]:
    """Of the surfaces for which weights were chosen."""
    return artifact.read_document(MERGE_WEIGHTS, dict[str, MergeWeights])


@builds(MERGE, first=retrieval_models.train)
def choose_weights(build: Build) -> dict[str, Any]:
    """Replay retrieval over the validation window and choose; unchanged inputs reuse the result.

    New users (``evaluation.new_user_events``) and the others have weights of their own, for the sources that know a new
    user are others. A surface of one source, one made by code, and one whose weights the settings say, has none chosen.
    """
    settings, lake = build.settings, Lake.open(build.home)
    retrieval = build.inputs[RETRIEVAL.artifact]
    towers = Towers.load(build.home.local_copy(retrieval.folder), settings.retrieval.history_encoder)
    windows = SurfaceWindows(
        settings=settings,
        lake=lake,
        window=time_split(settings, lake).validation,
        most=MOST_QUERIES,
        seed=settings.evaluation.seed,
    )
    found = {name: _of_surface(settings, name, windows, towers) for name in settings.surfaces}
    weights = {name: _weights(one, settings.evaluation) for name, one in found.items() if one.segments}
    home, folder = build.home, build.staging.folder
    home.write_json(f"{folder}/{MERGE_WEIGHTS}", {name: one.model_dump(mode="json") for name, one in weights.items()})
    home.write_json(f"{folder}/{REPORT}", MergeReport(surfaces=found).model_dump(mode="json"))
    return {"surfaces": sorted(weights)}


def _of_surface(settings: Settings, name: str, windows: SurfaceWindows, towers: Towers) -> SurfaceMerge:
    rules = settings.surfaces[name]
    if rules.pipeline is not None:
        return SurfaceMerge(without="its pipeline is code")
    if rules.source_weights is not None:
        return SurfaceMerge(without="the settings say them")
    if len(rules.live("sources")) < 2:
        return SurfaceMerge(without="it has one source")
    asked, window = windows.of(name)
    if window is None:
        return SurfaceMerge(without="no query of the validation window has a target")
    replay = SourceReplay(
        vocabulary=window.vocabulary,
        pipeline_at=window.moments(towers, None, surface=name).pipeline,
        surface=name,
        needs_item=rules.needs_item,
    )
    ranks = source_ranks_on_ray(replay, asked, tasks=settings.features.partitions)
    segments = _segments(ranks, settings.evaluation)
    if not segments:
        return SurfaceMerge(without=f"the validation window has queries of {len(set(ranks.users))} users alone")
    for segment, one in segments.items():
        log.info("%s, %s: %s", name, segment.replace("_", " "), one.weights)
    return SurfaceMerge(segments=segments)


def _segments(ranks: SourceRanks, chosen: EvaluationSettings) -> dict[str, ChosenWeights]:
    """By segment; without those that are too few to choose by."""
    cutoffs, new = (chosen.cutoffs[0], chosen.cutoffs[-1]), ranks.history < chosen.new_user_events
    parts = {ALL: ranks, NEW_USERS: ranks.where(new), OTHERS: ranks.where(~new)}
    found = {name: choose(part, cutoffs) for name, part in parts.items()}
    return {name: one for name, one in found.items() if one.weights}


def _weights(found: SurfaceMerge, chosen: EvaluationSettings) -> MergeWeights:
    """As they are served: where a segment has none of its own, those of all users."""
    every = found.segments[ALL].weights
    new, others = (found.segments.get(segment) for segment in (NEW_USERS, OTHERS))
    return MergeWeights(
        new_user_events=chosen.new_user_events,
        new_users=new.weights if new else every,
        others=others.weights if others else every,
    )
