"""The surface with one thing taken away at a time: what each part of it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from remora.core.vocabulary import NO_ROWS
from remora.evaluation.replay import ReplayState
from remora.evaluation.systems import RETRIEVAL, SURFACE
from remora.pipeline import Query
from remora.pipeline.runner import named
from remora.ranking.ranker import Ranker
from remora.wiring.bundle_contents import scorer_of
from remora.wiring.replay_state import ReplayStates

LESS = f"{SURFACE} without "


@dataclass(frozen=True, kw_only=True)
class Ablations:
    """The systems of an ablation at any instant; pickles. ``rankers``: trained without something, by its name."""

    moments: ReplayStates
    rankers: Mapping[str, Ranker]

    def compared(self, instant: datetime) -> ReplayState:
        """The whole surface, retrieval alone, and the surface without each source, feature group, model and rule."""
        context, surface = self.moments.context(instant), self.moments.pipeline(instant)
        systems = {SURFACE: surface, RETRIEVAL: replace(surface, scorer=None, rerankers={})}
        if len(surface.sources) > 1:
            for name in surface.sources:
                rest = {other: source for other, source in surface.sources.items() if other != name}
                systems[f"{LESS}source {name}"] = replace(surface, sources=rest)
        for name, ranker in self.rankers.items():
            scorer = scorer_of(ranker, context.snapshot, context.settings)
            systems[LESS + name] = replace(surface, scorer=scorer)
        if surface.rerankers:
            systems[f"{LESS}rerankers"] = replace(surface, rerankers={})
        systems[f"{LESS}history"] = replace(surface, hydrators={**surface.hydrators, **named(WithoutHistory())})
        events = np.nan_to_num(context.snapshot.column("item_activity__count_total"))
        return ReplayState(pipelines=systems, item_events=events)


class WithoutHistory:
    """A hydrator after the others: the stages see no positive item; what was seen is still hidden."""

    def hydrate(self, query: Query) -> Query:
        """As for a user of whom the profile alone is known."""
        return replace(query, history=NO_ROWS)
