"""Both bundles asked the queries of the freshest test window, each over its own vocabulary, on the same users."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from remora.datasets.queries import queries, sampled
from remora.datasets.splits import Window, time_split
from remora.evaluation.accumulator import Column, ReplaySums
from remora.evaluation.bootstrap import Bootstrap
from remora.evaluation.item_statistics import ItemStatistics
from remora.evaluation.metrics.coverage import Coverage as CoverageMetric
from remora.evaluation.metrics.metric import Metric
from remora.evaluation.parallel import replay_on_ray
from remora.evaluation.segments import ALL
from remora.ingest.lake import Lake
from remora.release.gates.coverage import CoverageEvidence
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.offline import MetricComparison, Offline
from remora.settings import EvaluationSettings, GatesSettings, Settings
from remora.wiring.replay_window import ReplayWindow

if TYPE_CHECKING:
    from feast import FeatureStore

CANDIDATE, PRODUCTION = "candidate", "production"
COVERED_AT = 10
VALIDATION = "validation"
"""The cut of a bundle's lineage up to which its models may have learned."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class GateReplay:
    """``sums`` of both systems over ``queries`` queries of a window, of a catalogue of ``items``.

    ``sums`` are of the surface that the ranker learns from, ``others`` of those that both bundles have besides.
    """

    window: Window
    queries: int
    sums: ReplaySums
    items: int
    others: Mapping[str, ReplaySums] = field(default_factory=dict)


def replayed(
    settings: Settings, lake: Lake, store: FeatureStore, candidate: BundleUnderTest, production: BundleUnderTest | None
) -> GateReplay:
    """Replay what lies after both were trained, at most ``gates.max_queries`` queries of each surface. Needs a Ray
    cluster."""
    systems = {CANDIDATE: candidate, **({PRODUCTION: production} if production else {})}
    window = after_training(time_split(settings, lake).test, list(systems.values()))
    queries_of_ranked, sums = 0, dict[str | None, ReplaySums]()
    for hide_seen, surfaces in _by_rule(settings, systems).items():
        found = queries(settings, lake, window, hide_seen=hide_seen)
        asked = sampled(found, settings.gates.max_queries, settings.evaluation.seed)
        log.info("gates: %d queries between %s and %s", len(asked), window.start.date(), window.end.date())
        if None in surfaces:
            queries_of_ranked = len(asked)
        if len(asked):
            sums |= _summed(settings, lake, store, window, asked, systems, surfaces)
    ranked = sums.pop(None, None)
    return GateReplay(
        window=window,
        queries=queries_of_ranked,
        sums=_nothing() if ranked is None else ranked,
        items=len(candidate.vocabulary),
        others={name: one for name, one in sums.items() if name is not None and len(one.users)},
    )


def _by_rule(settings: Settings, systems: Mapping[str, BundleUnderTest]) -> dict[bool, list[str | None]]:
    """The surfaces to compare, by whether they hide what was seen, on which the queries depend; None is the ranked."""
    own = systems[CANDIDATE].contents.settings
    grouped: dict[bool, list[str | None]] = {settings.ranked_surface.hide_seen: [None]}
    for name, rules in own.surfaces.items():
        ranked = any(name == loaded.contents.settings.ranking.surface for loaded in systems.values())
        if not ranked and all(name in loaded.surfaces for loaded in systems.values()):
            grouped.setdefault(rules.hide_seen, []).append(name)
    return grouped


def _summed(
    settings: Settings,
    lake: Lake,
    store: FeatureStore,
    window: Window,
    asked: pa.Table,
    systems: Mapping[str, BundleUnderTest],
    surfaces: Sequence[str | None],
) -> dict[str | None, ReplaySums]:
    """Of each surface the sums of both systems over the same queries."""
    parts: dict[str | None, list[ReplaySums]] = {surface: [] for surface in surfaces}
    prepared = None
    for name, loaded in systems.items():
        prepared = _window(settings, lake, store, window, asked, loaded, prepared)
        contents, metrics = loaded.contents, _metrics(settings, prepared.catalogue)
        trained = {model: contents.models[model] for model in contents.settings.retrieval.trained}
        for surface in surfaces:
            moments = prepared.moments(
                contents.towers,
                contents.ranker,
                contents.settings,
                surface=surface,
                merge_weights=contents.merge_weights,
                trained=trained,
            )
            replay = prepared.replay(partial(moments.alone, name), metrics, surface)
            parts[surface].append(replay_on_ray(replay, asked, tasks=settings.features.partitions))
    return {surface: reduce(add, found) for surface, found in parts.items()}


def after_training(test: Window, bundles: Sequence[BundleUnderTest]) -> Window:
    """The part of the test window that is later than all that any of the bundles learned from; perhaps empty."""
    learned = [cut for loaded in bundles if (cut := loaded.lineage.split.get(VALIDATION)) is not None]
    return Window(min(max([test.start, *learned]), test.end), test.end)


def _window(
    settings: Settings,
    lake: Lake,
    store: FeatureStore,
    window: Window,
    asked: pa.Table,
    loaded: BundleUnderTest,
    other: ReplayWindow | None,
) -> ReplayWindow:
    """The window as this bundle sees it; that of the other bundle where all that it depends on is the same."""
    own = loaded.contents.settings
    # How queries are made and judged is the same for all bundles, whatever the bundle was built with.
    merged = own.model_copy(update={"evaluation": settings.evaluation, "data": settings.data})
    if other is not None and _depends_on(merged, loaded) == _of(other):
        return other
    return ReplayWindow.prepare(merged, lake, store, window, asked, loaded.vocabulary)


def _depends_on(settings: Settings, loaded: BundleUnderTest) -> tuple[object, ...]:
    return settings.retrieval, settings.features, loaded.vocabulary.ids


def _of(window: ReplayWindow) -> tuple[object, ...]:
    return window.settings.retrieval, window.settings.features, window.vocabulary.ids


def _metrics(settings: Settings, catalogue: ItemStatistics) -> tuple[Metric[Any], ...]:
    """Those that have a bound, and coverage."""
    chosen = {choice.component.cls.name: choice for choice in settings.evaluation.metrics}
    bounded = sorted({(one.metric, one.cutoff) for one in settings.gates.offline})
    made = (chosen[name].component.cls.at(k, catalogue, chosen[name].config) for name, k in bounded)
    return (*made, CoverageMetric(k=COVERED_AT, items=len(catalogue)))


def offline(found: GateReplay, bounds: GatesSettings, evaluation: EvaluationSettings) -> Offline:
    """Means, and intervals of the differences by the paired bootstrap over users, of every surface."""
    compared = list(_compared(found.sums, bounds, evaluation))
    for surface, sums in found.others.items():
        compared += [replace(one, surface=surface) for one in _compared(sums, bounds, evaluation)]
    return Offline(
        queries=found.queries,
        users=len(found.sums.users),
        start=found.window.start.isoformat(),
        end=found.window.end.isoformat(),
        compared=tuple(compared),
    )


def _compared(sums: ReplaySums, bounds: GatesSettings, evaluation: EvaluationSettings) -> Iterator[MetricComparison]:
    columns = [column for column in sums.columns if column.segment == ALL]
    at = [sums.columns.index(column) for column in columns]
    means = Bootstrap.over_users(
        sums.totals[:, at],
        sums.counts[:, at],
        samples=evaluation.bootstrap_samples,
        seed=evaluation.seed,
        level=bounds.confidence_level,
    )
    index = {column: n for n, column in enumerate(columns)}
    for one in bounds.offline:
        mine, theirs = (Column(name, one.metric, one.cutoff, ALL) for name in (CANDIDATE, PRODUCTION))
        if mine not in index:
            continue
        facts: dict[str, Any] = {
            "metric": one.metric,
            "cutoff": one.cutoff,
            "candidate": means.interval(index[mine]).mean,
        }
        if theirs in index:
            difference = means.difference(index[mine], index[theirs])
            facts |= {"production": means.interval(index[theirs]).mean, "low": difference.low, "high": difference.high}
        yield MetricComparison(**facts)


def covered(found: GateReplay) -> CoverageEvidence:
    """Distinct items of the same slates."""
    shown = {column.system: len(sum_.rows) for column, sum_ in found.sums.covered.items() if column.segment == ALL}
    return CoverageEvidence(
        candidate=shown.get(CANDIDATE, 0),
        production=shown.get(PRODUCTION),
        slates=found.queries,
        cutoff=COVERED_AT,
        items=found.items,
    )


def _nothing() -> ReplaySums:
    return ReplaySums(
        columns=(),
        users=(),
        totals=np.zeros((0, 0)),
        counts=np.zeros((0, 0)),
        covered={},
        queries={},
        degraded={},
    )
