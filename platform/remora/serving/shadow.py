"""The shadow: a bundle that is asked what another has just answered, off the response path."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable

from remora.registry.live import Shadowed
from remora.serving.arrival import Arrival
from remora.serving.desk import Desk
from remora.serving.messages import RecommendRequest
from remora.serving.phases import Phases
from remora.serving.tallies import ShadowTally
from remora.serving.topologies import Topology
from remora.settings.tree import ServingSettings
from remora.surfaces.responses import RecommendResponse

logger = logging.getLogger(__name__)


class Shadow:
    """Asks one request at a time; while it does, others are skipped, so that a replica is never behind for it.

    ``way`` makes a bundle's topology, with a thread of its own where stages run here. Nothing that goes wrong is seen
    by who asked: it is counted.
    """

    def __init__(self, way: Callable[[Phases], Topology]) -> None:
        self._way = way
        self._at_work: asyncio.Task[None] | None = None
        self._desk: Desk | None = None
        self._tallies: defaultdict[str, ShadowTally] = defaultdict(ShadowTally)

    def offer(
        self,
        phases: Phases,
        limits: ServingSettings,
        asked: RecommendRequest,
        arrival: Arrival,
        shown: RecommendResponse,
    ) -> None:
        """Ask the shadow's ``phases`` as well, unless it is busy."""
        tally = self._tallies[phases.release.bundle]
        if self._at_work is not None and not self._at_work.done():
            tally.skipped()
            return
        if self._desk is None or self._desk.release is not phases.release:
            self._desk = Desk(phases.release, self._way(phases), limits, tally=tally.answers)
        self._desk.limits = limits  # a running replica may have been given others
        self._at_work = asyncio.ensure_future(_compare(self._desk, tally, asked, arrival, shown))

    def keep(self, bundle: str | None) -> None:
        """Let any other bundle go."""
        if self._desk is not None and self._desk.release.bundle != bundle:
            self._desk = None

    def sums(self) -> dict[str, Shadowed]:
        """What was found so far, by bundle."""
        return {bundle: tally.sums() for bundle, tally in list(self._tallies.items())}


async def _compare(
    desk: Desk, tally: ShadowTally, asked: RecommendRequest, arrival: Arrival, shown: RecommendResponse
) -> None:
    try:
        tally.compared(await desk.recommend(asked, arrival), shown)
    except Exception:  # counted as failed by the desk
        logger.exception("the shadow bundle %s broke on a request", desk.release.bundle)
