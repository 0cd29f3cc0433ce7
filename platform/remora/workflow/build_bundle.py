"""The step that puts together what serves together: everything as of the end of the data, in one bundle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from feast import FeatureStore

import remora
from remora.core.artifacts import Artifact
from remora.core.home import Home
from remora.datasets.splits import time_split
from remora.extensions import choices
from remora.features.services import SERVICES, schema_hash
from remora.features.snapshot import ItemSnapshot
from remora.features.store import open_store
from remora.ingest.lake import Lake
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.lineage import BuiltWith, Lineage, TrainingRows
from remora.registry.store import BundleStore, Content
from remora.retrieval.encoder import SPEC
from remora.retrieval.towers import TowerSpec
from remora.retrieval.two_tower import TOWER_FILES
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE as SETTINGS
from remora.steps import Build, builds
from remora.steps.code import commit
from remora.steps.path import BUNDLE
from remora.wiring.bundle_contents import MERGE_WEIGHTS, SNAPSHOT, learn_models, save_models, trained_models
from remora.workflow.evaluation import read_evaluation


def build(settings: Settings) -> Bundle:
    """Build the bundle of the current artifacts, or find it when it is there.

    The towers, the models that were trained and the ranker are those that were evaluated; the item lists and the item
    snapshot are made again as of the end of the data, as every refresh does.
    """
    return Bundles(settings).inspect(record(settings).metadata["bundle"])


def _is_kept(home: Home, built: Artifact) -> bool:
    """The record may outlive its bundle, which `remora gc` collects when nothing serves it."""
    return BundleStore(home).has(built.metadata["bundle"])


@builds(BUNDLE, holds=_is_kept)
def record(build: Build) -> dict[str, Any]:
    """As :func:`build`; gives the record, whose metadata has the ``bundle``'s id. Unchanged inputs reuse it."""
    bundle = _bundle(build.settings, Lake(build.inputs["lake"]), build.inputs)
    return {"bundle": bundle.id}


def _bundle(settings: Settings, lake: Lake, made: Mapping[str, Artifact]) -> Bundle:
    served_with = BundleSettings.of(settings).model_dump(mode="json")
    store, vocabulary = open_store(settings), lake.vocabulary()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ItemSnapshot.take(store, lake, vocabulary, settings, lake.end).save(folder / SNAPSHOT)
        learned = learn_models(lake, vocabulary, settings, lake.end)
        save_models({**learned, **trained_models(settings)}, folder)
        files: dict[str, Content] = {
            **{file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()},
            **_towers(made["retrieval"], settings),
            **{file: made["ranking"].read_bytes(file) for file in made["ranking"].metadata["served"]},
            MERGE_WEIGHTS: made["merge_weights"].read_bytes(MERGE_WEIGHTS),
            SETTINGS: json.dumps(served_with, indent=1).encode(),
        }
        return Bundles(settings).build(
            files,
            lineage=_lineage(settings, lake, store, made),
            metrics=read_evaluation(made["evaluation"]).ranked.model_dump(mode="json"),
            surfaces=settings.surfaces.names,
        )


def _towers(retrieval: Artifact, settings: Settings) -> dict[str, Content]:
    """The files of the towers. DataError where the settings, which the bundle brings, choose another encoder."""
    files: dict[str, Content] = {file: retrieval.read_bytes(file) for file in TOWER_FILES}
    TowerSpec.parse(retrieval.read_bytes(SPEC), retrieval.at(SPEC), settings.retrieval.history_encoder)
    return files


def _lineage(settings: Settings, lake: Lake, store: FeatureStore, made: Mapping[str, Artifact]) -> Lineage:
    split = time_split(settings, lake)
    return Lineage(
        dataset=settings.name,
        artifacts={name: artifact.version for name, artifact in made.items()},
        feature_services={name: schema_hash(store, name) for name in SERVICES},
        events=lake.rows("events"),
        users=lake.rows("users"),
        items=len(lake.vocabulary()),
        first_event=lake.first,
        last_event=lake.last,
        split={
            "retrieval training": split.retrieval_end,
            "ranking training": split.ranking_end,
            "validation": split.validation_end,
            "test": split.end,
        },
        seeds={"retrieval": settings.retrieval.seed, "ranking": settings.ranking.seed},
        rows={w: TrainingRows.model_validate(rows) for w, rows in made["ranking"].metadata.get("rows", {}).items()},
        runs={name: artifact.metadata["run"] for name, artifact in made.items() if "run" in artifact.metadata},
        components=_components(settings),
        remora=remora.__version__,
        code=commit(),
    )


def _components(settings: Settings) -> tuple[BuiltWith, ...]:
    found = [choice.component for choice in choices(BundleSettings.of(settings))]
    return tuple(BuiltWith(kind=c.kind.name, name=c.name, package=c.distribution, version=c.version) for c in found)
