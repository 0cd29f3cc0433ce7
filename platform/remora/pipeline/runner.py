"""Runs the stages of a surface; times, counts, names and survives them.

Fails open for NotReady (the stage is skipped and named in ``degraded``) and closed for everything else. A rule that
must never be skipped raises another branch of the error tree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from remora.pipeline import live_rows
from remora.pipeline.candidates import EMPTY, Candidates, Retrieved, stack
from remora.pipeline.merge_weights import MergeWeights
from remora.pipeline.query import Query
from remora.pipeline.recorder import StageRecorder
from remora.pipeline.rows import indices_of, isin
from remora.pipeline.scored_candidates import ScoredCandidates
from remora.pipeline.slate import Slate
from remora.pipeline.stages import Backfill, Filter, Hydrator, Mask, Reranker, Scorer, Scores, Source
from remora.pipeline.state import PipelineState

Stage = TypeVar("Stage")

RETRIEVAL_ORDER = "retrieval_order"
"""The scorer did not run, so the order is the weighted reciprocal rank fusion of the sources."""

BACKFILL = "backfill"
"""What the backfill is called: among the sources of an item, in counts, in timings and in ``degraded``."""

FIRST_PAGE = 256


def stage_name(stage: object) -> str:
    """The snake_case name of a stage's class: what a stage is called that settings do not name.

    >>> stage_name(type("CategoryDiversity", (), {})())
    'category_diversity'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(stage).__name__).lower()


def named(*stages: Stage) -> dict[str, Stage]:
    """Stages by :func:`stage_name`; ValueError where two have one name."""
    by_name = {stage_name(stage): stage for stage in stages}
    if len(by_name) < len(stages):
        raise ValueError(f"two of these stages have one name: {', '.join(map(stage_name, stages))}; name them yourself")
    return by_name


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One surface's whole request path: hydrators, sources, filters, scorer, rerankers, and what fills up a slate that
    is short.

    Hydrators find out who asks, one after another. ``backfill`` is asked when the filters leave fewer than n
    candidates; what it finds is filtered as well, so a slate is short only when nothing else may be shown. ``merge``
    says how much each source counts in retrieval order; without it all count alike. Stages are known by the names under
    which they are given (a scorer by that of its class), in ``degraded``, timings and columns, so no two may share one.
    The phases are methods, so that each can run in a deployment of its own; :meth:`run` chains them.

    Rows from ``live_from`` on are of live items (:mod:`remora.pipeline.live_rows`), None without any; unless
    ``with_live_items``, none is found. Items that are ``deleted`` (items,) are shown by no surface, whatever its
    filters.
    """

    hydrators: Mapping[str, Hydrator] = field(default_factory=dict)
    sources: Mapping[str, Source]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    scorer: Scorer | None = None
    rerankers: Mapping[str, Reranker] = field(default_factory=dict)
    backfill: Backfill | None = None
    merge: MergeWeights | None = None
    live_from: int | None = None
    with_live_items: bool = True
    deleted: Mask | None = None

    def __post_init__(self) -> None:
        scorers = [stage_name(self.scorer)] if self.scorer else []
        counts = Counter([*self.hydrators, *self.sources, *self.filters, *scorers, *self.rerankers])
        if repeated := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"two stages of one pipeline are called {', '.join(repeated)}; their columns would mix")

    def without_live_items(self) -> Pipeline:
        """The same without live items; what is deleted or not available is so here too."""
        return self if self.live_from is None else replace(self, with_live_items=False)

    def run(self, query: Query) -> Slate:
        """The slate of a query."""
        return self.slate(self.hydrate(query))

    def slate(self, state: PipelineState) -> Slate:
        """The slate of a query that is hydrated."""
        return self.rank(self.filter(self.retrieve(state)))

    def hydrate(self, query: Query) -> PipelineState:
        """Complete the query by what is known of its user; a hydrator that is not ready leaves it as it was."""
        steps = StageRecorder()
        for name, hydrator in self.hydrators.items():
            # Without a deadline, for the filters read what is found here, and they have none either.
            query = steps.attempt(name, partial(hydrator.hydrate, query), query)
        if not self.with_live_items:
            query = live_rows.known_query(query, self.live_from)
        return steps.state(query, Candidates.none())

    def retrieve(self, state: PipelineState) -> PipelineState:
        """Ask every source; a source that is not ready is skipped."""
        steps, query = StageRecorder(state), state.query
        found = [
            (name, steps.attempt(name, partial(self._found, source, query), EMPTY, until=query.retrieval_deadline))
            for name, source in self.sources.items()
        ]
        with steps.timed("merge"):
            weights = None if self.merge is None else self.merge.of(len(query.history), list(self.sources))
            candidates = Candidates.merge(found, weights)
        steps.counts |= {name: len(f.rows) for name, f in found} | {"retrieved": len(candidates)}
        return steps.state(query, candidates)

    def filter(self, state: PipelineState) -> PipelineState:
        """Keep what may be shown; ask the backfill when too little is left."""
        steps, query = StageRecorder(state), state.query
        kept = self._allowed(query, state.candidates, steps)
        if len(kept) < query.n and self.backfill is not None:
            kept = self._filled(query, kept, self.backfill, steps)
        steps.counts["allowed"] = len(kept)
        return steps.state(query, kept)

    def rank(self, state: PipelineState) -> Slate:
        """Order and cut to n."""
        steps, query = StageRecorder(state), state.query
        scored = self._scored(state, steps)
        ordered = self._ordered(state, scored, steps)
        chosen = ordered.take(np.arange(min(query.n, len(ordered))))
        slate = Slate(
            candidates=chosen,
            degraded=tuple(dict.fromkeys(steps.degraded)),
            timings_ms=steps.timings_ms,
            counts=steps.counts | {"shown": len(chosen)},
        )
        if not isinstance(scored, ScoredCandidates):
            return slate
        shown = indices_of(chosen.rows, state.candidates.rows)
        return replace(
            slate,
            predictions={name: predicted[shown] for name, predicted in scored.predictions.items()},
            features=scored.features.take(shown) if query.log_features else None,
        )

    def order(self, state: PipelineState) -> PipelineState:
        """Score, sort and rerank; without scores the retrieval order stands."""
        steps = StageRecorder(state)
        return steps.state(state.query, self._ordered(state, self._scored(state, steps), steps))

    def _found(self, source: Source, query: Query) -> Retrieved:
        return self._known(live_rows.find(source, query, self.live_from))

    def _known(self, found: Retrieved) -> Retrieved:
        """What was found, as far as it may be shown here."""
        if self.with_live_items or self.live_from is None:
            return found
        return live_rows.without_live(found, self.live_from)

    def _scored(self, state: PipelineState, steps: StageRecorder) -> Scores | ScoredCandidates | None:
        """What the scorer says of the candidates, in their order; None where it does not run."""
        query, candidates, scorer = state.query, state.candidates, self.scorer
        if scorer is None or not len(candidates):
            return None
        ask = partial(live_rows.score, scorer, query, candidates, self.live_from)
        scored = steps.attempt(stage_name(scorer), ask, None, until=query.ranking_deadline)
        if scored is None:
            steps.degraded.append(RETRIEVAL_ORDER)
        return scored

    def _ordered(
        self, state: PipelineState, scored: Scores | ScoredCandidates | None, steps: StageRecorder
    ) -> Candidates:
        query, candidates = state.query, state.candidates
        if scored is not None:
            scores = scored.scores if isinstance(scored, ScoredCandidates) else scored
            candidates = candidates.scored(scores).by_score()
        for name, reranker in self.rerankers.items():
            rerank = partial(live_rows.rerank, reranker, query, candidates, self.live_from)
            order = steps.attempt(name, rerank, None, until=query.ranking_deadline)
            candidates = candidates if order is None else candidates.take(order)
        return candidates

    def _allowed(self, query: Query, candidates: Candidates, steps: StageRecorder) -> Candidates:
        keep = ~isin(candidates.rows, query.exclude)
        if self.deleted is not None:
            keep &= ~self.deleted[candidates.rows]
        for name, rule in self.filters.items():
            # Without a deadline, unlike other stages: a slate without its rules is wrong, not only poorer.
            keep &= steps.attempt(name, partial(rule.allowed, query, candidates), np.ones(len(keep), bool))
            steps.counts[name] = steps.counts.get(name, 0) + int(np.count_nonzero(keep))
        return candidates.take(keep)

    def _filled(self, query: Query, kept: Candidates, backfill: Backfill, steps: StageRecorder) -> Candidates:
        """``kept`` and as much of the backfill as the slate needs; read in growing pages, as it may be long."""
        before = len(kept)
        start, size = 0, max(FIRST_PAGE, 4 * query.n)
        while len(kept) < query.n:
            stop = start + size
            ask = partial(live_rows.page, backfill, query, start, stop, self.live_from)
            found = steps.attempt(BACKFILL, ask, EMPTY)
            if not len(found.rows):
                break
            found = self._known(found)
            piece = Candidates.merge([(BACKFILL, found)])
            # The merge counts ranks from 1 within the page; an item's rank is that in the whole backfill.
            piece = replace(piece, source_ranks=piece.source_ranks + start)
            extra = self._allowed(query, piece.take(~isin(piece.rows, kept.rows)), steps)
            kept = stack(kept, extra.take(np.arange(min(query.n - len(kept), len(extra)))))
            # Doubling keeps the number of pages small where the filters hide nearly all of the backfill.
            start, size = stop, size * 2
        steps.counts[BACKFILL] = len(kept) - before
        return kept
