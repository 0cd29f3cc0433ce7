"""Which bundle answers a request: each user is assigned to one, and its recommender answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from remora.control.replica_status import RequestStats, ShadowStats
from remora.control.traffic import PRODUCTION
from remora.feedback.served_slate import SlateSink
from remora.serving.bundle_follower import ActiveTraffic
from remora.serving.executors import Executor
from remora.serving.explanation import Explanation
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.metrics import ServingMetrics
from remora.serving.recommender import Recommender
from remora.serving.request_counters import RequestCounter
from remora.serving.requests import RequestContext
from remora.serving.schemas import (
    ExplainRequest,
    Health,
    RecommendRequest,
    SimilarParameters,
    surface_and_context,
)
from remora.serving.shadow import Shadow
from remora.serving.stage_request import BundleMismatch
from remora.settings.serving import ServingSettings
from remora.surfaces.responses import RecommendResponse


class BundleRouter:
    """The recommenders of the active bundles. It belongs to the event loop and has no lock.

    ``active`` is read once a request, so that one bundle answers it whatever is switched meanwhile; ``executor`` makes
    the executor of a bundle. ``sinks`` get every slate once it has left.
    """

    def __init__(
        self,
        active: Callable[[], ActiveTraffic],
        executor: Callable[[LoadedBundle], Executor],
        limits: ServingSettings,
        metrics: ServingMetrics,
        *,
        shadow: Shadow,
        variant: str = PRODUCTION,
        sinks: Sequence[SlateSink] = (),
    ) -> None:
        self._active, self._executor, self._limits, self._metrics = active, executor, limits, metrics
        self._shadow, self._variant, self._sinks = shadow, variant, sinks
        self._recommenders: dict[str, Recommender] = {}
        self._last: ActiveTraffic | None = None
        self._counters: defaultdict[str, RequestCounter] = defaultdict(RequestCounter)

    @property
    def limits(self) -> ServingSettings:
        """What requests are measured by."""
        return self._limits

    @limits.setter
    def limits(self, limits: ServingSettings) -> None:
        self._limits = limits
        for recommender in self._recommenders.values():
            recommender.limits = limits

    async def recommend(self, request: RecommendRequest, context: RequestContext) -> RecommendResponse:
        """The slate of a surface for a user."""
        now = self._now()
        response = await self._answered(now, request, context)
        shadow = now.traffic.shadow
        if shadow is not None and shadow in now.loaded and response.bundle == now.traffic.production:
            self._shadow.offer(now.loaded[shadow], self._limits, request, context, response)
        return response

    async def _answered(
        self, now: ActiveTraffic, request: RecommendRequest, context: RequestContext
    ) -> RecommendResponse:
        who = request.user_id or context.request_id
        *firsts, (last, variant) = self._choices(now, who)
        for recommender, name in firsts:
            try:
                return await recommender.recommend(request, context, name, yields=True)
            except BundleMismatch:  # a phase of the graph has not got it yet, or no longer
                continue
        # No other recommender is left to ask, so this one answers by its fallback chain where a phase lacks the bundle.
        return await last.recommend(request, context, variant)

    def _choices(self, now: ActiveTraffic, who: str) -> Iterator[tuple[Recommender, str]]:
        """The recommender for a user, and those that can take its place, with the variant that each is."""
        bundle, variant = now.assign(who)
        yield self._recommender(now, bundle), self._name(variant)
        for other in (now.traffic.production, now.traffic.previous):
            if other is not None and other != bundle and other in now.loaded:
                yield self._recommender(now, other), self._name(PRODUCTION)

    async def similar(self, item_id: str, parameters: SimilarParameters, context: RequestContext) -> RecommendResponse:
        """Items similar to one; NotFound when the catalogue does not have it."""
        request = RecommendRequest(
            user_id=parameters.user_id, n=parameters.n, **surface_and_context(parameters.surface, item_id)
        )
        return await self.recommend(request, context)

    async def explain(self, request: ExplainRequest, context: RequestContext) -> Explanation:
        """Why the user's slate has the item or has not, by the bundle that the user is assigned to."""
        now = self._now()
        return await self._recommender(now, now.assign(request.user_id or context.request_id)[0]).explain(
            request, context
        )

    def surfaces(self) -> dict[str, bool]:
        """The surfaces of the bundle in production, and whether a request for one has to name an item."""
        now = self._active()
        surfaces = now.production.context.settings.surfaces
        return {name: surface.needs_item for name, surface in surfaces.items()}

    def health(self, status: str) -> Health:
        """Which bundle is in production here."""
        return Health(status=status, bundle=self._active().traffic.production)

    async def ready(self) -> Health:
        """The same after a request has gone through all stages, or NotReady."""
        now = self._now()
        await self._recommender(now, now.traffic.production).warm_up()
        return Health(status="ready", bundle=now.traffic.production)

    def flush(self) -> None:
        """Give what waits for its answer to leave to the sinks now."""
        for recommender in self._recommenders.values():
            recommender.after.flush()
        self._shadow.flush()

    def answers(self) -> dict[str, RequestStats]:
        """What was answered so far, by bundle."""
        return {bundle: counter.sums() for bundle, counter in list(self._counters.items())}

    def shadowed(self) -> dict[str, ShadowStats]:
        """What shadows answered so far, by bundle."""
        return self._shadow.sums()

    def _now(self) -> ActiveTraffic:
        """What is active; recommenders of bundles that no longer are let go, and with them the bundles' memory."""
        now = self._active()
        if now is not self._last:
            self._last = now
            self._recommenders = {b: recommender for b, recommender in self._recommenders.items() if b in now.loaded}
            self._shadow.keep(now.traffic.shadow)
        return now

    def _recommender(self, now: ActiveTraffic, bundle: str) -> Recommender:
        """Made when it is first asked."""
        loaded, recommender = now.loaded[bundle], self._recommenders.get(bundle)
        if recommender is None or recommender.loaded is not loaded:
            executor, counter = self._executor(loaded), self._counters[bundle]
            cached = None if recommender is None else recommender.fallbacks.cache
            recommender = self._recommenders[bundle] = Recommender(
                loaded, executor, self._limits, self._metrics, counter, self._sinks, cached
            )
        return recommender

    def _name(self, variant: str) -> str:
        return self._variant if variant == PRODUCTION else variant
