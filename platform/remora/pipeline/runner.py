"""Runs the stages of a surface; times, counts, names and survives them.

Fails open for NotReady (the stage is skipped and named in ``degraded``) and closed for everything else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from remora.contracts.errors import NotReady
from remora.pipeline.candidates import NOTHING, Candidates, Found
from remora.pipeline.query import Query
from remora.pipeline.slate import Slate
from remora.pipeline.stages import Filter, Reranker, Scorer, Source

RETRIEVAL_ORDER = "retrieval_order"
FALLBACK = "fallback"


def stage_name(stage: object) -> str:
    """The snake_case name under which a stage is traced and metered.

    >>> stage_name(type("CategorySpacing", (), {})())
    'category_spacing'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(stage).__name__).lower()


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """Candidates on their way between stages, with what has happened so far; it crosses process borders."""

    candidates: Candidates
    degraded: tuple[str, ...] = ()
    timings_ms: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One surface's whole request path: sources, filters, scorer, rerankers, and the source of the last resort.

    ``backfill`` is asked when the filters leave fewer than n candidates; what it finds is filtered as well.
    The three phases are methods, so that each can run in a deployment of its own; :meth:`run` chains them.
    """

    sources: tuple[Source, ...]
    filters: tuple[Filter, ...] = ()
    scorer: Scorer | None = None
    rerankers: tuple[Reranker, ...] = ()
    backfill: Source | None = None

    def run(self, query: Query) -> Slate:
        """The slate for a hydrated query."""
        return self.rank(query, self.filter(query, self.retrieve(query)))

    def retrieve(self, query: Query) -> Passage:
        """Ask every source; a source that is not ready is skipped."""
        steps = _Steps()
        found = [
            (stage_name(s), steps.attempt(stage_name(s), lambda s=s: s.find(query), NOTHING)) for s in self.sources
        ]
        candidates = Candidates.merge(found)
        steps.counts |= {name: len(f.rows) for name, f in found} | {"retrieved": len(candidates)}
        return steps.passage(candidates)

    def filter(self, query: Query, passage: Passage) -> Passage:
        """Keep what may be shown; ask the backfill when too little is left."""
        steps = _Steps.after(passage)
        kept = self._allowed(query, passage.candidates, steps)
        if len(kept) < query.n and self.backfill is not None:
            more = self._more(query, kept, steps)
            kept = more if len(more) > len(kept) else kept
        steps.counts["allowed"] = len(kept)
        return steps.passage(kept)

    def rank(self, query: Query, passage: Passage) -> Slate:
        """Score, order, rerank and cut to n; without scores the retrieval order stands."""
        steps = _Steps.after(passage)
        candidates = passage.candidates
        if self.scorer is not None and len(candidates):
            name, scorer = stage_name(self.scorer), self.scorer
            scores = steps.attempt(name, lambda: scorer.score(query, candidates), None)
            if scores is None:
                steps.degraded.append(RETRIEVAL_ORDER)
            else:
                candidates = candidates.scored(scores).by_score()
        for reranker in self.rerankers:
            kept = candidates
            order = steps.attempt(stage_name(reranker), lambda r=reranker, k=kept: r.rerank(query, k), None)
            candidates = kept if order is None else kept.take(order)
        chosen = candidates.take(np.arange(min(query.n, len(candidates))))
        steps.counts["shown"] = len(chosen)
        return Slate(
            candidates=chosen,
            degraded=tuple(dict.fromkeys(steps.degraded)),
            timings_ms=steps.timings_ms,
            counts=steps.counts,
        )

    def _allowed(self, query: Query, candidates: Candidates, steps: _Steps) -> Candidates:
        keep = ~np.isin(candidates.rows, query.exclude)
        for rule in self.filters:
            with steps.timed(stage_name(rule)):
                keep &= rule.allowed(query, candidates)
        return candidates.take(keep)

    def _more(self, query: Query, kept: Candidates, steps: _Steps) -> Candidates:
        assert self.backfill is not None
        backfill = self.backfill
        found = steps.attempt("backfill", lambda: backfill.find(query), NOTHING)
        fresh = ~np.isin(found.rows, kept.rows)
        extra = self._allowed(
            query, Candidates.merge([(FALLBACK, Found(found.rows[fresh], found.scores[fresh]))]), steps
        )
        steps.counts[FALLBACK] = len(extra)
        return _stack(kept, extra)


def _stack(first: Candidates, then: Candidates) -> Candidates:
    """Both, ``then`` after ``first``; the sources' columns side by side."""
    columns = (len(first.sources), len(then.sources))

    def blocks(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        stacked = np.full((len(first) + len(then), sum(columns)), np.nan, np.float32)
        stacked[: len(first), : columns[0]], stacked[len(first) :, columns[0] :] = a, b
        return stacked

    return Candidates(
        rows=np.concatenate([first.rows, then.rows]),
        sources=first.sources + then.sources,
        source_scores=blocks(first.source_scores, then.source_scores),
        source_ranks=blocks(first.source_ranks, then.source_ranks),
        scores=np.concatenate([first.scores, then.scores]),
    )


class _Steps:
    """What happened so far in one request."""

    def __init__(self) -> None:
        self.degraded: list[str] = []
        self.timings_ms: dict[str, float] = {}
        self.counts: dict[str, int] = {}

    @classmethod
    def after(cls, passage: Passage) -> _Steps:
        steps = cls()
        steps.degraded.extend(passage.degraded)
        steps.timings_ms |= passage.timings_ms
        steps.counts |= passage.counts
        return steps

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
            yield
        finally:
            self.timings_ms[name] = self.timings_ms.get(name, 0.0) + (time.perf_counter() - start) * 1e3

    def attempt(self, name, answer, otherwise):  # type: ignore[no-untyped-def]
        """The stage's answer, or ``otherwise`` with the reason in ``degraded`` when it is not ready."""
        with self.timed(name):
            try:
                return answer()
            except NotReady as reason:
                self.degraded.append(f"{name}: {reason}")
                return otherwise
