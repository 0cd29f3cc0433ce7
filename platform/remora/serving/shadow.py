"""The shadow: a bundle that is asked what another has just answered, off the response path."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from remora.control.replica_status import ShadowStats
from remora.serving.executors import Executor
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.recommender import Recommender
from remora.serving.request_counters import ShadowCounter
from remora.serving.requests import RequestContext
from remora.serving.schemas import RecommendRequest
from remora.settings.serving import ServingSettings
from remora.surfaces.responses import RecommendResponse

logger = logging.getLogger(__name__)


class Shadow:
    """Asks one request at a time; while it does, others are skipped, so that a replica is never behind for it.

    ``executor`` makes the executor of a bundle, with a thread of its own where stages run here. The caller sees
    nothing of what goes wrong: it is counted.
    """

    def __init__(self, executor: Callable[[LoadedBundle], Executor]) -> None:
        self._executor = executor
        self._at_work: asyncio.Task[None] | None = None
        self._recommender: Recommender | None = None
        self._counters: defaultdict[str, ShadowCounter] = defaultdict(ShadowCounter)

    def offer(
        self,
        loaded: LoadedBundle,
        limits: ServingSettings,
        request: RecommendRequest,
        context: RequestContext,
        shown: RecommendResponse,
    ) -> None:
        """Ask the shadow, ``loaded``, as well, unless it is busy."""
        counter = self._counters[loaded.bundle]
        if self._at_work is not None and not self._at_work.done():
            counter.skipped()
            return
        if self._recommender is None or self._recommender.loaded is not loaded:
            self._recommender = Recommender(loaded, self._executor(loaded), limits, counter=counter.answers)
        self._recommender.limits = limits  # a running replica may have been given others
        self._at_work = asyncio.ensure_future(_compare(self._recommender, counter, request, context, shown))

    def flush(self) -> None:
        """Count what waits to be counted now."""
        if self._recommender is not None:
            self._recommender.after.flush()

    def keep(self, bundle: str | None) -> None:
        """Let any other bundle go."""
        if self._recommender is not None and self._recommender.loaded.bundle != bundle:
            self._recommender = None

    def sums(self) -> dict[str, ShadowStats]:
        """What was found so far, by bundle."""
        return {bundle: counter.sums() for bundle, counter in list(self._counters.items())}


async def _compare(
    recommender: Recommender,
    counter: ShadowCounter,
    request: RecommendRequest,
    context: RequestContext,
    shown: RecommendResponse,
) -> None:
    try:
        counter.compared(await recommender.recommend(request, context), shown)
    except Exception:  # counted as failed by the recommender
        logger.exception("the shadow bundle %s broke on a request", recommender.loaded.bundle)
