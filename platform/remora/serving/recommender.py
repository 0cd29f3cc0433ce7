"""Where requests of one bundle are answered: ids become rows, an executor finds the slate, rows become ids again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from remora.control.traffic import PRODUCTION
from remora.core.errors import NotReady, Refused
from remora.datasets.hash_sampling import in_sample
from remora.feedback.served_slate import ServedItem, ServedSlate, SlateSink
from remora.pipeline import Query, Slate
from remora.pipeline.cache import ignored
from remora.serving.after_answers import AfterAnswers
from remora.serving.cached_slate import CachedSlate
from remora.serving.executors import Executor
from remora.serving.explanation import Explanation
from remora.serving.fallback_chain import FallbackChain
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.metrics import ServingMetrics
from remora.serving.request_counters import RequestCounter
from remora.serving.requests import RequestContext, item_row, to_query
from remora.serving.schemas import ExplainRequest, RecommendRequest
from remora.serving.stage_request import BundleMismatch
from remora.serving.timeouts import with_timeout
from remora.settings.serving import ServingSettings
from remora.surfaces.responses import RecommendResponse, response_to
from remora.surfaces.warmup_queries import probe

FEATURES = "logged features"
"""What requests are sampled for by a hash of their ids: the same request is in the sample wherever it is answered."""


class Recommender:
    """Answers requests from one loaded bundle; plain, so that it is tested without a server.

    For a moment a phase of a graph may not have the bundle: the fallback chain answers then, or BundleMismatch is
    raised where ``yields`` says that another recommender is asked next.

    ``cached``: the slates that the fallback chain keeps, those of the same bundle before its live items changed.
    """

    def __init__(
        self,
        loaded: LoadedBundle,
        executor: Executor,
        limits: ServingSettings,
        metrics: ServingMetrics | None = None,
        counter: RequestCounter | None = None,
        sinks: Sequence[SlateSink] = (),
        cached: CachedSlate | None = None,
    ) -> None:
        self.loaded, self.executor, self.limits, self.metrics = loaded, executor, limits, metrics
        self.counter = counter or RequestCounter()
        self.after = AfterAnswers((self.counter.answered, *((metrics.answered,) if metrics else ()), *sinks))
        self.fallbacks = FallbackChain(
            loaded.popular_fallback,
            cached or CachedSlate(limits.slate_cache_size),
            looked_up=metrics.looked_up if metrics else ignored,
        )
        # A shadow's slates go nowhere, and neither do slates where none are logged.
        self._features_share = loaded.context.settings.events.log_features_share if sinks else 0.0
        self.warm = False

    async def recommend(
        self, request: RecommendRequest, context: RequestContext, variant: str = PRODUCTION, *, yields: bool = False
    ) -> RecommendResponse:
        """The slate of a surface for a user, who is assigned to this bundle as ``variant``."""
        try:
            query = to_query(self.loaded, request, context, self.limits)
            if self._features_share and in_sample([query.request_id], self._features_share, FEATURES)[0]:
                query = replace(query, log_features=True)
            return await self._answer(query, context.within_ms(self.limits), variant, yields)
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
        query, row = to_query(self.loaded, request, context, self.limits), item_row(self.loaded, request.item_id)
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

    async def _answer(self, query: Query, within_ms: float, variant: str, yields: bool) -> RecommendResponse:
        start, fell_back = time.perf_counter(), True
        try:
            slate = await with_timeout(within_ms / 1e3, self.executor.slate(query))
            self.fallbacks.keep(query, slate)
            fell_back = False
        except TimeoutError:
            slate = self._fallback(query, f"no slate within {within_ms:g} ms")
        except NotReady as reason:
            if yields and isinstance(reason, BundleMismatch):
                raise
            slate = self._fallback(query, str(reason))
        total = {"total": (time.perf_counter() - start) * 1e3}
        slate = replace(slate, timings_ms={**slate.timings_ms, **total})
        response = response_to(query, slate, self.loaded.context, bundle=self.loaded.bundle, variant=variant)
        self.after.add(served_slate(query, slate, response, within_ms=within_ms, fallback=fell_back))
        return response

    def _fallback(self, query: Query, reason: str) -> Slate:
        slate, fallback = self.fallbacks.slate(query, reason)
        if self.metrics is not None:
            self.metrics.fell_back(query.surface, fallback)
        return slate


def served_slate(
    query: Query, slate: Slate, response: RecommendResponse, *, within_ms: float, fallback: bool
) -> ServedSlate:
    """The record of an answer."""
    # Every stage there is decides by what it is given alone: what it puts there, it always does.
    propensity = None if fallback else 1.0
    return ServedSlate(
        request_id=query.request_id,
        served_at=query.instant + timedelta(milliseconds=slate.timings_ms["total"]),
        user_id=query.user_id,
        surface=query.surface,
        bundle=response.bundle,
        variant=response.variant,
        requested=query.n,
        items=tuple(
            ServedItem(item.item_id, item.position, item.score, propensity, tuple(item.sources))
            for item in response.items
        ),
        context=query.context,
        degraded=slate.degraded,
        fallback=fallback,
        counts=slate.counts,
        timings_ms=slate.timings_ms,
        within_ms=within_ms,
        predictions={name: tuple(predicted.tolist()) for name, predicted in slate.predictions.items()},
        features=slate.features,
    )
