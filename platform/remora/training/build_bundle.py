"""The step that puts together what serves together: everything as of the end of the data, in one bundle."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from feast import FeatureStore

import remora
from remora.contracts.artifacts import Artifact, ArtifactStore, fingerprint
from remora.contracts.home import Home
from remora.datasets.splits import time_split
from remora.extensions import choices
from remora.features.services import SERVICES, schema_hash
from remora.features.snapshot import ItemSnapshot
from remora.features.store import open_store
from remora.features.tables import features_artifacts
from remora.ingest.lake import Lake, lake_artifacts
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.lineage import BuiltWith, Lineage, TrainingRows
from remora.registry.store import BundleStore, Content
from remora.settings import BundleSettings, Settings
from remora.settings.bundle import FILE as SETTINGS
from remora.settings.one_writer import writes
from remora.surfaces.table import SURFACES
from remora.training.evaluation import REPORT, evaluation_artifacts
from remora.training.ranking import ranking_artifacts
from remora.training.retrieval import retrieval_artifacts
from remora.wiring.parts import LINEAR, NEIGHBOURS, SEGMENTS, SNAPSHOT, TOWERS, ItemLists


def build_artifacts(home: Home) -> ArtifactStore:
    """Which bundle was built from what: the metadata's ``bundle`` is its id."""
    return ArtifactStore(home, "built", "remora bundle build")


def build(settings: Settings) -> Bundle:
    """Build the bundle of the current artifacts, or find it when it is there.

    The towers and the trees are those that were evaluated; the item lists and the item snapshot are made again as of
    the end of the data, as every refresh does.
    """
    return Bundles(settings).inspect(record(settings).metadata["bundle"])


@writes("remora bundle build")
def record(settings: Settings) -> Artifact:
    """As :func:`build`; gives the record, whose metadata has the ``bundle``'s id. Unchanged inputs reuse it."""
    home = Home(settings.home)
    made = _made(home)
    served_with = BundleSettings.of(settings).model_dump(mode="json")
    version = fingerprint(
        artifacts={name: artifact.version for name, artifact in made.items()}, settings=served_with, code=commit()
    )
    artifacts = build_artifacts(home)
    done = artifacts.find(version)
    # The record may outlive its bundle, which `remora gc` collects when nothing serves it.
    if done is not None and BundleStore(home).has(done.metadata["bundle"]):
        artifacts.set_current(version)
        return done
    bundle = _bundle(settings, Lake(made["lake"]), made, served_with)
    return artifacts.commit(artifacts.staging(version), bundle=bundle.id)


def _made(home: Home) -> dict[str, Artifact]:
    stores = (lake_artifacts, features_artifacts, retrieval_artifacts, ranking_artifacts, evaluation_artifacts)
    return {artifact.name: artifact for artifact in (store(home).current() for store in stores)}


def _bundle(settings: Settings, lake: Lake, made: dict[str, Artifact], served_with: dict[str, Any]) -> Bundle:
    store, vocabulary = open_store(settings), lake.vocabulary()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ItemSnapshot.take(store, lake, vocabulary, settings, lake.end).save(folder / SNAPSHOT)
        ItemLists.learn(lake, vocabulary, settings, lake.end).save(folder)
        files: dict[str, Content] = {
            **{file: folder / file for file in (SNAPSHOT, NEIGHBOURS, LINEAR, SEGMENTS)},
            **{file: made["retrieval"].read_bytes(file) for file in TOWERS},
            **{file: made["ranking"].read_bytes(file) for file in made["ranking"].metadata["served"]},
            SETTINGS: json.dumps(served_with, indent=1).encode(),
        }
        return Bundles(settings).build(
            files,
            lineage=_lineage(settings, lake, store, made),
            metrics=made["evaluation"].read_json(REPORT),
            surfaces=tuple(SURFACES),
        )


def _lineage(settings: Settings, lake: Lake, store: FeatureStore, made: dict[str, Artifact]) -> Lineage:
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


def commit() -> str:
    """The checkout's commit; $REMORA_COMMIT where there is no checkout, as in a container."""
    if named := os.environ.get("REMORA_COMMIT"):
        return named
    asked = ["git", "-C", str(Path(remora.__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
