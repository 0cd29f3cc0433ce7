"""A window of the lake made ready for a replay: what was known of items before it, and of users when they asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from remora.core.vocabulary import Vocabulary
from remora.datasets.splits import Window
from remora.evaluation.item_statistics import ItemStatistics
from remora.evaluation.metrics.metric import Metric
from remora.evaluation.replay import Replay, ReplayState
from remora.features.replay import ReplayUsers
from remora.features.snapshot import ItemSnapshot
from remora.ingest.lake import Lake
from remora.pipeline.merge_weights import MergeWeights
from remora.ranking.ranker import Ranker
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.wiring.bundle_contents import learn_models, trained_models
from remora.wiring.replay_state import ReplayStates, snapshots

if TYPE_CHECKING:  # Ray's workers import this file; Feast alone would take them seconds
    from feast import FeatureStore


@dataclass(frozen=True, kw_only=True)
class ReplayWindow:
    """A window as one vocabulary sees it; any models of that vocabulary can be replayed over it.

    The retrieval models are learned from what was before the window, so that nothing of it is known beforehand.
    """

    settings: Settings
    vocabulary: Vocabulary
    models: Mapping[str, Any]
    snapshots: list[ItemSnapshot]
    users: ReplayUsers

    @classmethod
    def prepare(
        cls,
        settings: Settings,
        lake: Lake,
        store: FeatureStore,
        window: Window,
        queries: pa.Table,
        vocabulary: Vocabulary,
    ) -> ReplayWindow:
        """For the rows of ``queries`` (columns user_id and instant) within the window. Needs a Ray cluster."""
        return cls(
            settings=settings,
            vocabulary=vocabulary,
            models=learn_models(lake, vocabulary, settings, window.start),
            snapshots=snapshots(settings, lake, store, queries, vocabulary),
            users=ReplayUsers.prepare(store, lake, vocabulary, settings, queries),
        )

    @property
    def catalogue(self) -> ItemStatistics:
        """What metrics need to know of the items: as they were when the window began."""
        first = self.snapshots[0]
        return ItemStatistics(popularity=first.popularity, categories=first.categories, column=first.column)

    def moments(
        self,
        towers: Towers,
        ranker: Ranker | None,
        settings: Settings | None = None,
        *,
        surface: str | None = None,
        merge_weights: Mapping[str, MergeWeights] = MappingProxyType({}),
        trained: Mapping[str, Any] | None = None,
    ) -> ReplayStates:
        """The window as these models would have served it, under ``settings`` where they are others.

        Of ``surface``; by default of the one that the ranker learns from. ``trained`` are the retrieval models that are
        not learned as of the window's start, by name; by default those that the step `train models` made last.
        """
        return ReplayStates(
            settings=settings or self.settings,
            towers=towers,
            models={**self.models, **(trained_models(self.settings) if trained is None else trained)},
            ranker=ranker,
            snapshots=self.snapshots,
            users=self.users,
            surface=surface or self.settings.ranking.surface,
            merge_weights=dict(merge_weights),
        )

    def replay(
        self, moment_at: Callable[[datetime], ReplayState], metrics: tuple[Metric[Any], ...], surface: str | None = None
    ) -> Replay:
        """What asks the systems of ``moment_at`` and judges by ``metrics``; ``surface`` as in :meth:`moments`."""
        asked = surface or self.settings.ranking.surface
        return Replay(
            vocabulary=self.vocabulary,
            moment_at=moment_at,
            metrics=metrics,
            settings=self.settings.evaluation,
            surface=asked,
            needs_item=self.settings.surfaces[asked].needs_item,
        )
