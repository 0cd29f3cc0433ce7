"""The step that puts together what serves together: everything as of the end of the data, in one bundle."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

from feast import FeatureStore

import remora
from remora.contracts.artifacts import Artifact, fingerprint
from remora.contracts.home import Home
from remora.datasets.cuts import time_cuts
from remora.features.snapshot import ItemSnapshot
from remora.features.store import open_store
from remora.features.tables import features_shelf
from remora.ingest.lake import Lake
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles, Content
from remora.registry.lineage import Lineage
from remora.retrieval import co_visitation
from remora.settings import Settings
from remora.surfaces.table import SURFACES
from remora.training.evaluation import REPORT, evaluation_shelf
from remora.training.ranking import ranking_shelf
from remora.training.retrieval import retrieval_shelf
from remora.wiring.parts import COLUMNS, NEIGHBOURS, SNAPSHOT, TOWERS, TREES

SERVED_WITH = {"surfaces", "retrieval", "features"}
"""Sections of the settings that belong to the bundle: a replica takes them from it."""


def build(settings: Settings) -> Bundle:
    """Build the bundle of the current artifacts, or find it when it is there.

    The towers and the trees are those that were evaluated; co-visitation and the item snapshot are made again as of
    the end of the data, as every refresh does.
    """
    home = Home(settings.home)
    lake, store = Lake.open(home), open_store(settings)
    retrieval, ranking = retrieval_shelf(home).current(), ranking_shelf(home).current()
    evaluation = evaluation_shelf(home).current()
    vocabulary = lake.vocabulary()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ItemSnapshot.take(store, lake, vocabulary, settings, lake.end).save(folder / SNAPSHOT)
        co_visitation.count(lake.events(), vocabulary, settings, lake.end).save(folder / NEIGHBOURS)
        files: dict[str, Content] = {
            **{file: folder / file for file in (SNAPSHOT, NEIGHBOURS)},
            **{file: retrieval.read_bytes(file) for file in TOWERS},
            **{file: ranking.read_bytes(file) for file in (TREES, COLUMNS)},
            "settings.json": json.dumps(settings.model_dump(mode="json", include=SERVED_WITH), indent=1).encode(),
        }
        return Bundles(settings).build(
            files,
            lineage=_lineage(settings, lake, store, {a.name: a for a in (retrieval, ranking, evaluation)}),
            metrics=evaluation.read_json(REPORT),
            surfaces=tuple(SURFACES),
        )


def _lineage(settings: Settings, lake: Lake, store: FeatureStore, made: dict[str, Artifact]) -> Lineage:
    cuts = time_cuts(settings, lake)
    made = {"lake": lake.artifact, "features": features_shelf(lake.artifact.home).current()} | made
    return Lineage(
        dataset=settings.name,
        artifacts={name: artifact.version for name, artifact in made.items()},
        feature_services={name: schema_hash(store, name) for name in ("retrieval", "ranking")},
        events=lake.rows("events"),
        users=lake.rows("users"),
        items=len(lake.vocabulary()),
        first_event=lake.first,
        last_event=lake.last,
        cuts={
            "retrieval training": cuts.retrieval_end,
            "ranking training": cuts.ranking_end,
            "validation": cuts.validation_end,
            "test": cuts.end,
        },
        seeds={"retrieval": settings.retrieval.seed, "ranking": settings.ranking.seed},
        runs={name: artifact.receipt["run"] for name, artifact in made.items() if "run" in artifact.receipt},
        remora=remora.__version__,
        code=_commit(),
    )


def schema_hash(store: FeatureStore, service: str) -> str:
    """Fingerprint of the columns and types that a feature service gives."""
    projections = store.get_feature_service(service).feature_view_projections
    columns = {f"{p.name}__{field.name}": str(field.dtype) for p in projections for field in p.features}
    return fingerprint(columns=columns)


def _commit() -> str:
    """The checkout's commit; $REMORA_COMMIT where there is no checkout, as in a container."""
    if named := os.environ.get("REMORA_COMMIT"):
        return named
    asked = ["git", "-C", str(Path(remora.__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
