"""The surface with one thing taken away at a time: what each part of it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from remora.contracts.vocabulary import NO_ROWS
from remora.evaluation.replay import ReplayState
from remora.evaluation.systems import RETRIEVAL, SURFACE
from remora.pipeline import Pipeline, Query, Slate
from remora.pipeline.runner import stage_name
from remora.ranking.ranker import Ranker
from remora.surfaces.home_feed import home_feed
from remora.wiring.parts import scorer_of
from remora.wiring.replay_state import ReplayStates

LESS = f"{SURFACE} without "


@dataclass(frozen=True, kw_only=True)
class Ablations:
    """The systems of an ablation at any instant; pickles. ``rankers``: trained without something, by its name."""

    moments: ReplayStates
    rankers: Mapping[str, Ranker]

    def compared(self, instant: datetime) -> ReplayState:
        """The whole surface, retrieval alone, and the surface without each source, feature group, model and rule."""
        parts = self.moments.parts(instant)
        surface = home_feed(parts)
        systems = {SURFACE: surface, RETRIEVAL: replace(surface, scorer=None, rerankers=())}
        if len(surface.sources) > 1:
            for one in surface.sources:
                rest = tuple(source for source in surface.sources if source is not one)
                systems[f"{LESS}source {stage_name(one)}"] = replace(surface, sources=rest)
        for name, ranker in self.rankers.items():
            scorer = scorer_of(ranker, parts.snapshot, parts.settings)
            systems[LESS + name] = replace(surface, scorer=scorer)
        if surface.rerankers:
            systems[f"{LESS}rerankers"] = replace(surface, rerankers=())
        systems[f"{LESS}history"] = WithoutHistory(**vars(surface))
        events = np.nan_to_num(parts.snapshot.column("item_activity__count_total"))
        return ReplayState(pipelines=systems, item_events=events)


@dataclass(frozen=True, kw_only=True)
class WithoutHistory(Pipeline):
    """A pipeline whose stages see no positive item; what was seen is still hidden."""

    def run(self, query: Query) -> Slate:
        """As for a user of whom the profile alone is known."""
        return super().run(replace(query, history=NO_ROWS))
