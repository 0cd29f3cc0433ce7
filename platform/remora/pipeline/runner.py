"""Runs the stages of a surface; times, counts, names and survives them.

Fails open for NotReady (the stage is skipped and named in ``degraded``) and closed for everything else. A rule that
must never be skipped raises another branch of the error tree.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np
from opentelemetry import trace

from remora.contracts.errors import NotReady
from remora.pipeline.candidates import EMPTY, Candidates, stack
from remora.pipeline.deadline import NEVER, Deadline
from remora.pipeline.query import Query
from remora.pipeline.rows import isin
from remora.pipeline.slate import Slate
from remora.pipeline.stages import Backfill, Filter, Reranker, Scorer, Source

Answer = TypeVar("Answer")
Stage = TypeVar("Stage")

TRACER = trace.get_tracer("remora")
"""A span for each stage, within the request's; nothing while no exporter is configured."""

RETRIEVAL_ORDER = "retrieval_order"
"""The scorer did not run, so the order is the reciprocal rank fusion of the sources."""

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


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """Candidates on their way between stages, with what has happened so far; it crosses process borders."""

    candidates: Candidates
    degraded: tuple[str, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One surface's whole request path: sources, filters, scorer, rerankers, and what fills up a slate that is short.

    ``backfill`` is asked when the filters leave fewer than n candidates; what it finds is filtered as well, so a slate
    is short only when nothing else may be shown. Stages are known by the names under which they are given (a scorer by
    that of its class), in ``degraded``, timings and columns, so no two may share one.
    The three phases are methods, so that each can run in a deployment of its own; :meth:`run` chains them.
    """

    sources: Mapping[str, Source]
    filters: Mapping[str, Filter] = field(default_factory=dict)
    scorer: Scorer | None = None
    rerankers: Mapping[str, Reranker] = field(default_factory=dict)
    backfill: Backfill | None = None

    def __post_init__(self) -> None:
        scorers = [stage_name(self.scorer)] if self.scorer else []
        counts = Counter([*self.sources, *self.filters, *scorers, *self.rerankers])
        if repeated := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"two stages of one pipeline are called {', '.join(repeated)}; their columns would mix")

    def run(self, query: Query) -> Slate:
        """The slate for a hydrated query."""
        return self.rank(query, self.filter(query, self.retrieve(query)))

    def retrieve(self, query: Query) -> Passage:
        """Ask every source; a source that is not ready is skipped."""
        steps = _Steps()
        found = [
            (name, steps.attempt(name, partial(source.find, query), EMPTY, until=query.retrieval_deadline))
            for name, source in self.sources.items()
        ]
        with steps.timed("merge"):
            candidates = Candidates.merge(found)
        steps.counts |= {name: len(f.rows) for name, f in found} | {"retrieved": len(candidates)}
        return steps.passage(candidates)

    def filter(self, query: Query, passage: Passage) -> Passage:
        """Keep what may be shown; ask the backfill when too little is left."""
        steps = _Steps(passage)
        kept = self._allowed(query, passage.candidates, steps)
        if len(kept) < query.n and self.backfill is not None:
            kept = self._filled(query, kept, self.backfill, steps)
        steps.counts["allowed"] = len(kept)
        return steps.passage(kept)

    def rank(self, query: Query, passage: Passage) -> Slate:
        """Order and cut to n."""
        ordered = self.order(query, passage)
        chosen = ordered.candidates.take(np.arange(min(query.n, len(ordered.candidates))))
        return Slate(
            candidates=chosen,
            degraded=tuple(dict.fromkeys(ordered.degraded)),
            timings_ms=ordered.timings_ms,
            counts=ordered.counts | {"shown": len(chosen)},
        )

    def order(self, query: Query, passage: Passage) -> Passage:
        """Score, sort and rerank; without scores the retrieval order stands."""
        steps, until = _Steps(passage), query.ranking_deadline
        candidates = passage.candidates
        if self.scorer is not None and len(candidates):
            score = partial(self.scorer.score, query, candidates)
            scores = steps.attempt(stage_name(self.scorer), score, None, until=until)
            if scores is None:
                steps.degraded.append(RETRIEVAL_ORDER)
            else:
                candidates = candidates.scored(scores).by_score()
        for name, reranker in self.rerankers.items():
            order = steps.attempt(name, partial(reranker.rerank, query, candidates), None, until=until)
            candidates = candidates if order is None else candidates.take(order)
        return steps.passage(candidates)

    def _allowed(self, query: Query, candidates: Candidates, steps: _Steps) -> Candidates:
        keep = ~isin(candidates.rows, query.exclude)
        for name, rule in self.filters.items():
            # Without a deadline, unlike other stages: a slate without its rules is wrong, not only poorer.
            keep &= steps.attempt(name, partial(rule.allowed, query, candidates), np.ones(len(keep), bool))
            steps.counts[name] = steps.counts.get(name, 0) + int(np.count_nonzero(keep))
        return candidates.take(keep)

    def _filled(self, query: Query, kept: Candidates, backfill: Backfill, steps: _Steps) -> Candidates:
        """``kept`` and as much of the backfill as the slate needs; read in growing pages, as it may be long."""
        before = len(kept)
        start, size = 0, max(FIRST_PAGE, 4 * query.n)
        while len(kept) < query.n:
            stop = start + size
            found = steps.attempt(BACKFILL, partial(backfill.page, query, start, stop), EMPTY)
            if not len(found.rows):
                break
            piece = Candidates.merge([(BACKFILL, found)])
            # The merge counts ranks from 1 within the page; an item's rank is that in the whole backfill.
            piece = replace(piece, source_ranks=piece.source_ranks + start)
            extra = self._allowed(query, piece.take(~isin(piece.rows, kept.rows)), steps)
            kept = stack(kept, extra.take(np.arange(min(query.n - len(kept), len(extra)))))
            # Doubling keeps the number of pages small where the filters hide nearly all of the backfill.
            start, size = stop, size * 2
        steps.counts[BACKFILL] = len(kept) - before
        return kept


class _Steps:
    """What has happened so far in one request."""

    def __init__(self, passage: Passage | None = None) -> None:
        self.degraded: list[str] = list(passage.degraded) if passage else []
        self.timings_ms: dict[str, float] = dict(passage.timings_ms) if passage else {}
        self.counts: dict[str, int] = dict(passage.counts) if passage else {}

    def passage(self, candidates: Candidates) -> Passage:
        return Passage(
            candidates=candidates,
            degraded=tuple(self.degraded),
            timings_ms=self.timings_ms,
            counts=self.counts,
        )

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            with TRACER.start_as_current_span(name, attributes={"stage": name}):
                yield
        finally:
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + (time.perf_counter() - start) * 1e3

    def attempt(self, name: str, ask: Callable[[], Answer], fallback: Answer, *, until: Deadline = NEVER) -> Answer:
        """The stage's answer; ``fallback``, with the reason in ``degraded``, when it is not ready.

        A stage that the slate can do without is not asked after ``until``.
        """
        if until.left < 0:
            self.degraded.append(f"{name}: skipped, the request's time is spent")
            return fallback
        with self.timed(name):
            try:
                return ask()
            except NotReady as reason:
                self.degraded.append(f"{name}: {reason}")
                return fallback
