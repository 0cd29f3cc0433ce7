"""A window of the past as it would have been served: what was learned before it, items refreshed along the way."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.vocabulary import Vocabulary
from remora.evaluation.replay import ReplayState
from remora.evaluation.systems import systems
from remora.features.snapshot import ItemSnapshot
from remora.ingest.lake import Lake
from remora.pipeline import Hydrator, Pipeline, StageContext
from remora.pipeline.merge_weights import MergeWeights
from remora.ranking.ranker import Ranker
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.surfaces.build import pipeline_of
from remora.wiring.bundle_contents import context_of

if TYPE_CHECKING:  # Ray's workers import this file; Feast alone would take them seconds
    from feast import FeatureStore


@dataclass(frozen=True, kw_only=True)
class ReplayStates:
    """What stages are made from at any instant of a window; pickles, so that Ray can replay it anywhere.

    ``snapshots`` are in order of time; the latest at or before an instant is the one that served then. ``users`` tells
    what was known of users when they asked, ``surface`` is the one that is replayed.
    """

    settings: Settings
    towers: Towers
    models: Mapping[str, Any]
    ranker: Ranker | None
    snapshots: Sequence[ItemSnapshot]
    users: Hydrator
    surface: str
    merge_weights: Mapping[str, MergeWeights] = field(default_factory=dict)

    def context(self, instant: datetime) -> StageContext:
        """What served at ``instant``; ValueError before the first snapshot."""
        index = bisect_right(self._instants, instant) - 1
        if index < 0:
            raise ValueError(f"{instant} is before the first snapshot, {self._instants[0]}")
        if index not in self._made:  # what is derived from a snapshot is derived once, not for every query
            self._made[index] = context_of(
                self.settings,
                snapshot=self.snapshots[index],
                towers=self.towers,
                models=self.models,
                ranker=self.ranker,
                users=self.users,
                merge_weights=self.merge_weights,
            )
        return self._made[index]

    def pipeline(self, instant: datetime) -> Pipeline:
        """The surface as it was."""
        return pipeline_of(self.context(instant), self.surface)

    def compared(self, instant: datetime) -> ReplayState:
        """The systems of a comparison as they were, the surface's simpler relatives beside it."""
        return self._moment(instant, systems(self.pipeline(instant)))

    def alone(self, system: str, instant: datetime) -> ReplayState:
        """The surface as it was and nothing beside it, called ``system``."""
        return self._moment(instant, {system: self.pipeline(instant)})

    def _moment(self, instant: datetime, pipelines: Mapping[str, Pipeline]) -> ReplayState:
        events = np.nan_to_num(self.context(instant).snapshot.column("item_activity__count_total"))
        return ReplayState(pipelines=pipelines, item_events=events)

    @cached_property
    def _made(self) -> dict[int, StageContext]:
        return {}

    @cached_property
    def _instants(self) -> list[datetime]:
        return [snapshot.instant for snapshot in self.snapshots]


def snapshots(
    settings: Settings, lake: Lake, store: FeatureStore, queries: pa.Table, vocabulary: Vocabulary | None = None
) -> list[ItemSnapshot]:
    """Item snapshots at midnights (UTC) of days on which a query was asked, the first of them always among them.

    ``queries`` has the column instant. Of the items of ``vocabulary``; by default those of the lake. At most
    ``evaluation.max_snapshots``, spread evenly: in a window of years the items are refreshed now and then rather than
    every night.
    """
    return ItemSnapshot.take_many(store, lake, vocabulary or lake.vocabulary(), settings, refreshes(settings, queries))


def refreshes(settings: Settings, queries: pa.Table) -> list[datetime]:
    """The midnights (UTC), of the column instant of ``queries``, at which :func:`snapshots` takes the items."""
    midnights = pc.unique(pc.floor_temporal(queries["instant"], unit="day")).sort().to_pylist()
    most = settings.evaluation.max_snapshots
    if len(midnights) > most:
        midnights = [midnights[index] for index in np.unique(np.linspace(0, len(midnights) - 1, most).astype(int))]
    return [midnight.astimezone(UTC) for midnight in midnights]
