"""Where requests of one bundle are answered: ids become rows, an executor finds the slate, rows become ids again."""

from __future__ import annotations

import time
from dataclasses import replace

from remora.contracts.errors import BadRequest, NotReady, Refused
from remora.pipeline import Query, Slate
from remora.pipeline.deadline import NEVER, Deadline
from remora.pipeline.runner import named, stage_name
from remora.registry.traffic import PRODUCTION
from remora.serving.cached_slate import CachedSlate
from remora.serving.executors import Executor
from remora.serving.explanation import Explanation
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.metrics import ServingMetrics
from remora.serving.phases import BundleMismatch
from remora.serving.request_context import RequestContext
from remora.serving.request_counters import RequestCounter
from remora.serving.requests import item_row, to_query
from remora.serving.schemas import ExplainRequest, RecommendRequest
from remora.serving.timeouts import with_timeout
from remora.settings.serving import ServingSettings
from remora.surfaces.responses import RecommendResponse, response_to
from remora.surfaces.warmup_queries import probe

POPULAR_FALLBACK = "popular_fallback"
"""No pipeline made a slate in time, and this replica remembers none of the user's: popular items that are available."""

FALLBACK = "{}_fallback"
"""The same, where the request's context names a segment: what it wants, then popular items. A source of the fallback
chain has a name of its own there: in other slates the source may be skipped."""


class Recommender:
    """Answers requests from one loaded bundle; plain, so that it is tested without a server.

    For a moment a phase of a graph may not have the bundle: the fallback chain answers then, or BundleMismatch is
    raised where ``yields`` says that another recommender is asked next.
    """

    def __init__(
        self,
        loaded: LoadedBundle,
        executor: Executor,
        limits: ServingSettings,
        metrics: ServingMetrics | None = None,
        counter: RequestCounter | None = None,
    ) -> None:
        self.loaded, self.executor, self.limits, self.metrics = loaded, executor, limits, metrics
        self.counter = counter or RequestCounter()
        self.cached_slate = CachedSlate(limits.slate_cache_size)
        self.warm = False

    async def recommend(
        self, request: RecommendRequest, context: RequestContext, variant: str = PRODUCTION, *, yields: bool = False
    ) -> RecommendResponse:
        """The slate of a surface for a user, who is assigned to this bundle as ``variant``."""
        try:
            return await self._answer(self._query(request, context), context, variant, yields)
        # Neither counts against the bundle, which a rollout judges by its failures.
        except (Refused, BundleMismatch):
            raise
        except Exception:
            self.counter.failed()
            raise

    async def explain(self, request: ExplainRequest, context: RequestContext) -> Explanation:
        """Why the user's slate has the item or has not, by the request replayed.

        NotFound for an unknown item, NotReady when it takes longer than ``serving.max_timeout_ms``.
        """
        query, row = self._query(request, context), item_row(self.loaded, request.item_id)
        try:
            return await with_timeout(self.limits.max_timeout_ms / 1e3, self.executor.explain(query, row))
        except TimeoutError as late:
            raise NotReady(f"no explanation within {self.limits.max_timeout_ms:g} ms") from late

    async def warm_up(self) -> None:
        """Send one request through all stages; NotReady while one of them is out."""
        if not self.warm:
            try:
                await with_timeout(self.limits.max_timeout_ms / 1e3, self.executor.slate(probe(self.loaded.context)))
            except TimeoutError as late:
                raise NotReady("the warm-up request took too long") from late
            self.warm = True

    async def _answer(self, query: Query, context: RequestContext, variant: str, yields: bool) -> RecommendResponse:
        start, timeout_ms, fell_back = time.perf_counter(), self._timeout_ms(context), True
        try:
            slate = await with_timeout(timeout_ms / 1e3, self.executor.slate(query))
            self.cached_slate.keep(query, slate)
            fell_back = False
        except TimeoutError:
            slate = self._fallback(query, f"no slate within {timeout_ms:g} ms")
        except NotReady as reason:
            if yields and isinstance(reason, BundleMismatch):
                raise
            slate = self._fallback(query, str(reason))
        total = {"total": (time.perf_counter() - start) * 1e3}
        slate = replace(slate, timings_ms={**slate.timings_ms, **total})
        response = response_to(query, slate, self.loaded.context, bundle=self.loaded.bundle, variant=variant)
        self.counter.answered(response, requested=query.n, within_ms=timeout_ms, fell_back=fell_back)
        if self.metrics is not None:
            self.metrics.answered(query, slate, response)
        return response

    def _fallback(self, query: Query, reason: str) -> Slate:
        """The user's last whole slate where this replica has one; else what the segment of the context wants; either
        filled up with popular items, which end the chain."""
        query = replace(query, retrieval_deadline=NEVER, ranking_deadline=NEVER)
        chain, cache = self.loaded.popular_fallback, stage_name(self.cached_slate)
        slate, fallback = replace(chain, sources=named(self.cached_slate)).run(query), cache
        found = slate.counts[cache] > 0
        if self.metrics is not None:
            self.metrics.looked_up(cache, found)
        if not found:
            slate = chain.run(query)
            gave = (FALLBACK.format(name) for name in chain.sources if slate.counts[name])
            fallback = next(gave, POPULAR_FALLBACK)
        if self.metrics is not None:
            self.metrics.fell_back(query.surface, fallback)
        return replace(slate, degraded=(f"{fallback}: {reason}", *slate.degraded))

    def _timeout_ms(self, context: RequestContext) -> float:
        """How long the caller waits, or is taken to."""
        return min(context.timeout_ms or self.limits.timeout_ms, self.limits.max_timeout_ms)

    def _query(self, request: RecommendRequest, context: RequestContext) -> Query:
        if request.n > self.limits.max_items:
            raise BadRequest(f"n is {request.n}; this server gives at most {self.limits.max_items} items.")
        seconds = self._timeout_ms(context) / 1e3
        return replace(
            to_query(self.loaded, request, context.request_id),
            retrieval_deadline=Deadline.after(seconds * self.limits.retrieval_deadline_fraction),
            ranking_deadline=Deadline.after(seconds * self.limits.ranking_deadline_fraction),
        )
