"""Replay: the very pipelines that serve, asked the queries of the past, judged by what the users did next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy.typing as npt
import pyarrow as pa

from remora.core.vocabulary import Vocabulary
from remora.datasets.days import each_day
from remora.evaluation.accumulator import Accumulator, Column, ReplaySums
from remora.evaluation.metrics.judgement import judge
from remora.evaluation.metrics.metric import Metric, RelevanceMetric
from remora.evaluation.segments import NEW_ITEMS, WITHOUT_ITEM, of_user
from remora.features.hydrators.user_features import USER_UNKNOWN
from remora.pipeline import Pipeline, Query
from remora.pipeline.state import PipelineState
from remora.settings import EvaluationSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplayState:
    """The systems as they were at the start of a day, and events of each item before it: ``item_events`` (n items,)."""

    pipelines: Mapping[str, Pipeline]
    item_events: npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Plain objects that answer queries and judge the slates; Ray runs it by :mod:`remora.evaluation.parallel`.

    A surface that ``needs_item`` is asked about the item that the user wanted last, and not at all for one who wanted
    none: those are counted as :data:`WITHOUT_ITEM`.

    ``moment_at`` is called once for each day with its midnight UTC. It must not use anything later. A slate is judged
    in the order in which it would have been shown, so equal scores are no ties here.
    """

    vocabulary: Vocabulary
    moment_at: Callable[[datetime], ReplayState]
    metrics: tuple[Metric[Any], ...]
    settings: EvaluationSettings
    surface: str = "home_feed"
    needs_item: bool = False

    def run(self, queries: pa.Table) -> ReplaySums:
        """Ask every query of every system.

        ``queries`` has the columns query_id, user_id, instant (timestamp, UTC), targets (list of item ids), weights
        (their gains) and history_events (positive events of the user before).
        """
        into = Accumulator()
        for midnight, of_day in each_day(queries):
            moment = self.moment_at(midnight)
            for query in of_day:
                self._ask(query, moment, into)
        return into.sums()

    def _ask(self, query_row: dict[str, Any], moment: ReplayState, into: Accumulator) -> None:
        query = query_of(query_row, surface=self.surface, n=max(metric.k for metric in self.metrics))
        # Systems that share their hydrators are given the very same query, so that what they share is asked once.
        hydrated = {id(one.hydrators): one for one in moment.pipelines.values()}
        states = {key: asked(one, query, needs_item=self.needs_item) for key, one in hydrated.items()}
        if None in states.values():
            into.queries[WITHOUT_ITEM] += 1
            return
        relevant = gains_of(query_row, self.vocabulary)
        segments = of_user(query_row["history_events"], self.settings)
        new_items = {r: g for r, g in relevant.items() if self._is_new(r, moment)}
        into.queries.update([*segments, *([NEW_ITEMS] if new_items else [])])
        for system, pipeline in moment.pipelines.items():
            state = states[id(pipeline.hydrators)]
            assert state is not None
            slate = pipeline.slate(state)
            into.degraded[system] += bool(slate.codes - {USER_UNKNOWN})  # an unknown user lacks no stage
            judgement = judge(slate.candidates.rows, relevant)
            for metric in self.metrics:
                measured = metric.of(judgement)
                for segment in segments:
                    into.add(query_row["user_id"], Column(system, metric.name, metric.k, segment), measured)
            if new_items:
                judgement = judge(slate.candidates.rows, new_items)
                for metric in self._of_relevance:
                    into.add(
                        query_row["user_id"], Column(system, metric.name, metric.k, NEW_ITEMS), metric.of(judgement)
                    )

    @property
    def _of_relevance(self) -> tuple[RelevanceMetric, ...]:
        """Metrics that depend on which relevant items are looked at; the others would only be repeated."""
        return tuple(metric for metric in self.metrics if isinstance(metric, RelevanceMetric))

    def _is_new(self, row: int, moment: ReplayState) -> bool:
        return row < 0 or moment.item_events[row] < self.settings.new_item_events


def query_of(query_row: Mapping[str, Any], *, surface: str, n: int) -> Query:
    """A row of :func:`~remora.datasets.queries.queries` as a surface is asked it."""
    return Query(
        request_id=query_row["query_id"],
        surface=surface,
        n=n,
        instant=query_row["instant"],
        user_id=query_row["user_id"],
    )


def asked(pipeline: Pipeline, query: Query, *, needs_item: bool) -> PipelineState | None:
    """The query with its user; where an item is needed, the one wanted last; None without one."""
    state = pipeline.hydrate(query)
    if not needs_item:
        return state
    history = state.query.history
    return replace(state, query=replace(state.query, seed_item=int(history[-1]))) if len(history) else None


def gains_of(query_row: Mapping[str, Any], vocabulary: Vocabulary) -> dict[int, float]:
    """Row -> gain of the targets. An item outside the vocabulary stays, as a miss, under a negative row of its own."""
    rows = (vocabulary.row(item) for item in query_row["targets"])
    known = (-1 - n if row is None else row for n, row in enumerate(rows))
    return dict(zip(known, query_row["weights"], strict=True))
