"""The step that takes the surface apart: what each source, feature group, model and rule adds, on the test window."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import ray
import torch

from remora.core.artifacts import ArtifactStore
from remora.core.home import Home
from remora.ingest.lake import Lake
from remora.ranking.ranker import Ranker
from remora.ranking.windows import RankingWindows
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.steps import Build, builds
from remora.steps.path import ABLATE, INGEST, MERGE, RANKING, RETRIEVAL
from remora.training import merge, ranking_examples
from remora.training.ranking_data import read_windows
from remora.training.ranking_fit import Fit
from remora.wiring.ablations import Ablations
from remora.workflow.evaluation import REPORT, Evaluation, TestWindow

log = logging.getLogger(__name__)


@builds(ABLATE, first=merge.choose_weights)
def ablate(build: Build) -> dict[str, Any]:
    """Train the ranker without each feature group and each of its models, and replay the test window with all of them;
    an unchanged ablation reuses its result.

    Rankers are kept as they are made, so that an interrupted ablation continues. A group is the features of one view:
    ``user_activity``, ``item_profile``, ``candidate`` and so on.
    """
    home, settings, lake = build.home, build.settings, Lake(build.inputs[INGEST.artifact])
    retrieval, ranked = build.inputs[RETRIEVAL.artifact], build.inputs[RANKING.artifact]
    towers = Towers.load(home.local_copy(retrieval.folder), settings.retrieval.history_encoder)
    vectors = towers.encoder.item_vectors
    whole = Ranker.load(home.local_copy(ranked.folder), settings.ranking.learned, vectors)
    without = _rankers(settings, home, lake, vectors)
    weights = merge.read_weights(build.inputs[MERGE.artifact])
    test = TestWindow.of(settings, lake, towers, whole, weights)
    report = test.compared(lambda moments: Ablations(moments=moments, rankers=without).compared)
    found = Evaluation(ranked_surface=settings.ranking.surface, surfaces={settings.ranking.surface: report})
    home.write_bytes(f"{build.staging.folder}/{REPORT}", json.dumps(found.model_dump(), indent=1).encode())
    return {}


def _rankers(settings: Settings, home: Home, lake: Lake, vectors: torch.Tensor) -> dict[str, Ranker]:
    """A ranker without each part of it, under the part's name."""
    rows = ranking_examples.make(settings)
    data = read_windows(rows, lake)
    groups = sorted({name.split("__")[0] for name in data.columns.names})
    parts = {f"features {group}": (settings, data.without(f"{group}__")) for group in groups if len(groups) > 1}
    for model in settings.ranking.learned if len(settings.ranking.learned) > 1 else ():
        others = settings.ranking.models | {model: None}
        alone = settings.model_copy(update={"ranking": settings.ranking.model_copy(update={"models": others})})
        parts[f"model {model}"] = (alone, data)
    made_from, artifacts = RANKING.current(settings).version, _rankers_artifacts(home)
    versions = {name: f"{made_from}-{name.replace(' ', '-')}" for name in parts}
    fit = ray.remote(num_cpus=1)(_fit)
    waiting = {fit.remote(*parts[n], vectors, v): n for n, v in versions.items() if artifacts.find(v) is None}
    while waiting:
        done = ray.wait(list(waiting), num_returns=1)[0][0]
        ray.get(done)
        log.info("trained without %s; %d more", waiting.pop(done), len(waiting))
    found = {}
    for name, version in versions.items():
        kept = artifacts.find(version)
        assert kept is not None
        found[name] = Ranker.load(home.local_copy(kept.folder), parts[name][0].ranking.learned, vectors)
    return found


def _rankers_artifacts(home: Home) -> ArtifactStore:
    return ArtifactStore(home, "ablated_rankers", "remora evaluate --ablations")


def _fit(settings: Settings, data: RankingWindows, vectors: torch.Tensor, version: str) -> None:
    """One ranker, in one process, kept under its version."""
    # As many fits run at once as there are CPUs.
    torch.set_num_threads(1)
    home = Home(settings.home)
    fit = Fit(settings=settings, home=home, version=version, data=data, vectors=vectors, run=None, say=None, here=True)
    ranker, artifacts = fit.ranker().ranker, _rankers_artifacts(home)
    staging = artifacts.staging(version)
    with tempfile.TemporaryDirectory() as folder:
        ranker.save(Path(folder))
        staging.add(Path(folder))
    artifacts.commit(staging)
