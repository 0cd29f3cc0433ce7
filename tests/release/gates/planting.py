"""Bundles with a defect: in their files where files can hold it, in their models once they are loaded where not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from remora.core.vocabulary import ItemCodes
from remora.ranking.batch import Batch
from remora.ranking.ranker import Ranker
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.registry.lineage import Lineage
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.evidence.fresh_process import FreshProcess, PendingLoad
from remora.release.gates.load import LoadResult
from remora.retrieval.index import ItemIndex
from remora.settings import Settings
from remora.wiring.bundle_contents import BundleContents

ADDED = ("lineage.json", "metrics.json", "card.md")


def with_files(
    settings: Settings, bundle: Bundle, files: Mapping[str, bytes], lineage: Mapping[str, Any] | None = None
) -> Bundle:
    """The bundle with other content in some files, or other facts in its lineage."""
    kept = {path: bundle.read_bytes(path) for path in bundle.manifest.files if path not in ADDED}
    return Bundles(settings).build(
        {**kept, **files},
        lineage=Lineage.model_validate(bundle.read_json("lineage.json") | dict(lineage or {})),
        metrics=bundle.read_json("metrics.json"),
        surfaces=bundle.manifest.surfaces,
    )


def as_good(settings: Settings, bundle: Bundle) -> Bundle:
    """Another bundle that shows nearly the same."""
    built = bundle.read_json("settings.json")
    built["surfaces"]["home_feed"]["rerankers"]["category_diversity"]["strength"] += 1e-4
    return with_files(settings, bundle, {"settings.json": json.dumps(built).encode()})


def reversed_scores(settings: Settings, bundle: Bundle) -> Bundle:
    """The best last: every share of the blend with the other sign."""
    spec = bundle.read_json("ranker.json")
    spec["blend"]["shares"] = {model: [-s for s in shares] for model, shares in spec["blend"]["shares"].items()}
    return with_files(settings, bundle, {"ranker.json": json.dumps(spec).encode()})


def other_index(settings: Settings, bundle: Bundle) -> Bundle:
    """An index of the same shape, of vectors of another training."""
    shape = ItemIndex.load(bundle.local() / "index.faiss").vectors().shape
    with TemporaryDirectory() as folder:
        vectors = np.random.default_rng(1).normal(size=shape).astype(np.float32)
        ItemIndex.build(vectors).save(Path(folder) / "index.faiss")
        files = {name: (Path(folder) / name).read_bytes() for name in ("index.faiss", "index.safetensors")}
    return with_files(settings, bundle, files)


def other_schema(settings: Settings, bundle: Bundle) -> Bundle:
    """Made of a service that is gone and of one that had other columns."""
    services = bundle.read_json("lineage.json")["feature_services"]
    return with_files(
        settings, bundle, {}, {"feature_services": services | {"ranking": "0" * 16, "ranking_v0": "1" * 16}}
    )


def that_crashes(settings: Settings, bundle: Bundle) -> Bundle:
    """Broken towers."""
    return with_files(settings, bundle, {"towers.json": b"{}"})


@dataclass
class Ticking:
    """A clock on which a reading takes a millisecond, and what is planted as much as it says."""

    now: float = 0.0

    def __call__(self) -> float:
        self.now += 1e-3
        return self.now


@dataclass(frozen=True, kw_only=True)
class Forgetful(Ranker):
    """Can tell nothing of one user, known by the history."""

    of: ItemCodes = field(default_factory=lambda: np.empty(0, np.int32))

    def margins(self, batch: Batch) -> np.ndarray:
        margins = super().margins(batch)
        return np.full_like(margins, np.nan) if np.array_equal(batch.histories[0], self.of) else margins

    def select(self, objectives: Any) -> Ranker:
        less = super().select(objectives)
        return Forgetful(spec=less.spec, models=less.models, of=self.of)


@dataclass(frozen=True, kw_only=True)
class Slow(Ranker):
    """Takes 400 ms more, on the clock that it is given."""

    clock: Ticking = field(default_factory=Ticking)

    def margins(self, batch: Batch) -> np.ndarray:
        self.clock.now += 0.4
        return super().margins(batch)

    def select(self, objectives: Any) -> Ranker:
        less = super().select(objectives)
        return Slow(spec=less.spec, models=less.models, clock=self.clock)


@dataclass(frozen=True, kw_only=True)
class Broken(Ranker):
    """Has a bug."""

    def margins(self, batch: Batch) -> np.ndarray:
        raise KeyError("no such column")

    def select(self, objectives: Any) -> Ranker:
        return self


@dataclass
class LoadedOnce:
    """Loads each bundle in a fresh process the first time, and says the next time how that ended."""

    started: dict[str, PendingLoad] = field(default_factory=dict)
    results: dict[str, LoadResult] = field(default_factory=dict)

    def __call__(self, bundle: Bundle, settings: Settings) -> PendingLoad:
        if bundle.id not in self.started:
            self.started[bundle.id] = FreshProcess.start(bundle, settings)
        return _Remembered(bundle.id, self)


@dataclass(frozen=True)
class _Remembered:
    bundle: str
    by: LoadedOnce

    def ended(self) -> LoadResult:
        if self.bundle not in self.by.results:
            self.by.results[self.bundle] = self.by.started[self.bundle].ended()
        return self.by.results[self.bundle]


def live_with(bundle: Bundle, ranker: Callable[[Ranker], Ranker]) -> Callable[[Bundle, Settings], BundleUnderTest]:
    """Opens bundles; that one with another ranker in its place."""

    def loaded(which: Bundle, settings: Settings) -> BundleUnderTest:
        contents = BundleContents.load(which, settings)
        if which.id == bundle.id:
            contents = replace(contents, ranker=ranker(contents.ranker))
        return BundleUnderTest.of(which, contents, settings)

    return loaded
