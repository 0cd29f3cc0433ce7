"""Peers as systems of a replay: a source that looks lists up, behind the surface's own filters and backfill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from remora.core.vocabulary import NO_ROWS, ItemCodes
from remora.evaluation.replay import ReplayState
from remora.evaluation.systems import RETRIEVAL, SURFACE
from remora.pipeline import Query, Retrieved
from remora.pipeline.runner import named
from remora.ranking.ranker import Ranker
from remora.wiring.bundle_contents import scorer_of
from remora.wiring.replay_state import ReplayStates

ALONE = f"{SURFACE}, "
"""The surface with one of the ranker's models is called this and the model's name."""


@dataclass(frozen=True)
class Listed:
    """Rows by query id, best first; a query without a list finds nothing."""

    lists: Mapping[str, ItemCodes]

    def find(self, query: Query) -> Retrieved:
        """As the peer ranked them."""
        rows = self.lists.get(query.request_id, NO_ROWS)
        return Retrieved(rows, -np.arange(len(rows), dtype=np.float32))


@dataclass(frozen=True, kw_only=True)
class StepComparison:
    """The systems of the benchmark at any instant; pickles. ``rankers`` by model, ``peers`` by name."""

    moments: ReplayStates
    rankers: Mapping[str, Ranker]
    peers: Mapping[str, Mapping[str, ItemCodes]]

    def at(self, instant: datetime) -> ReplayState:
        """Peers, retrieval alone, the surface with each model, and the surface as the moments have it."""
        context, surface = self.moments.context(instant), self.moments.ranked(instant)
        retrieval = replace(surface, scorer=None, rerankers={})
        systems = {name: replace(retrieval, sources=named(Listed(lists))) for name, lists in self.peers.items()}
        systems[RETRIEVAL] = retrieval
        for name, ranker in self.rankers.items():
            systems[ALONE + name] = replace(surface, scorer=scorer_of(ranker, context.snapshot, context.settings))
        systems[SURFACE] = surface
        events = np.nan_to_num(context.snapshot.column("item_activity__count_total"))
        return ReplayState(pipelines=systems, item_events=events)
