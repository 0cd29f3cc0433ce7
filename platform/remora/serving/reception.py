"""Which bundle answers a request: every user is dealt one, and that one's desk is asked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from remora.registry.live import Answers, Shadowed
from remora.registry.traffic import PRODUCTION
from remora.serving.arrival import Arrival
from remora.serving.desk import Desk
from remora.serving.messages import (
    SIMILAR,
    ExplainRequest,
    Health,
    RecommendRequest,
    SimilarParameters,
    about,
)
from remora.serving.meters import Meters
from remora.serving.phases import OtherBundle, Phases
from remora.serving.releases import InForce
from remora.serving.shadow import Shadow
from remora.serving.tallies import AnswerTally
from remora.serving.topologies import Topology
from remora.serving.why import Why
from remora.settings.tree import ServingSettings
from remora.surfaces.responses import RecommendResponse


class Reception:
    """The desks of the bundles in force. It belongs to the event loop and has no lock.

    ``in_force`` is asked once a request, so that one bundle answers it whatever is switched meanwhile; ``way`` makes a
    bundle's topology.
    """

    def __init__(
        self,
        in_force: Callable[[], InForce],
        way: Callable[[Phases], Topology],
        limits: ServingSettings,
        meters: Meters,
        *,
        shadow: Shadow,
        variant: str = PRODUCTION,
    ) -> None:
        self._in_force, self._way, self._limits, self._meters = in_force, way, limits, meters
        self._shadow, self._variant = shadow, variant
        self._desks: dict[str, Desk] = {}
        self._last: InForce | None = None
        self._tallies: defaultdict[str, AnswerTally] = defaultdict(AnswerTally)

    @property
    def limits(self) -> ServingSettings:
        """What requests are measured by."""
        return self._limits

    @limits.setter
    def limits(self, limits: ServingSettings) -> None:
        self._limits = limits
        for desk in self._desks.values():
            desk.limits = limits

    async def recommend(self, asked: RecommendRequest, arrival: Arrival) -> RecommendResponse:
        """The slate of a surface for a user."""
        now = self._now()
        response = await self._answered(now, asked, arrival)
        shadow = now.traffic.shadow
        if shadow is not None and shadow in now.phases and response.bundle == now.traffic.production:
            self._shadow.offer(now.phases[shadow], self._limits, asked, arrival, response)
        return response

    async def _answered(self, now: InForce, asked: RecommendRequest, arrival: Arrival) -> RecommendResponse:
        who = asked.user_id or arrival.request_id
        *firsts, (last, variant) = self._choices(now, who)
        for desk, name in firsts:
            try:
                return await desk.recommend(asked, arrival, name, yields=True)
            except OtherBundle:  # a phase of the graph has not got it yet, or no longer
                continue
        return await last.recommend(asked, arrival, variant)

    def _choices(self, now: InForce, who: str) -> Iterator[tuple[Desk, str]]:
        """The desk for a user, and those that can take its place, with the variant that each is."""
        bundle, variant = now.chosen(who)
        yield self._desk(now, bundle), self._name(variant)
        for other in (now.traffic.production, now.traffic.previous):
            if other is not None and other != bundle and other in now.phases:
                yield self._desk(now, other), self._name(PRODUCTION)

    async def similar(self, item_id: str, asked: SimilarParameters, arrival: Arrival) -> RecommendResponse:
        """Items similar to one; NotFound when the catalogue does not have it."""
        request = RecommendRequest(user_id=asked.user_id, n=asked.n, **about(SIMILAR, item_id))
        return await self.recommend(request, arrival)

    async def explain(self, asked: ExplainRequest, arrival: Arrival) -> Why:
        """Why the user's slate has the item or has not, by the bundle that the user is dealt."""
        now = self._now()
        return await self._desk(now, now.chosen(asked.user_id or arrival.request_id)[0]).explain(asked, arrival)

    def health(self, status: str) -> Health:
        """Which bundle is in production here."""
        return Health(status=status, bundle=self._in_force().traffic.production)

    async def ready(self) -> Health:
        """The same after a request has gone along the whole way, or NotReady."""
        now = self._now()
        await self._desk(now, now.traffic.production).warm_up()
        return Health(status="ready", bundle=now.traffic.production)

    def answers(self) -> dict[str, Answers]:
        """What was answered so far, by bundle."""
        return {bundle: tally.sums() for bundle, tally in list(self._tallies.items())}

    def shadowed(self) -> dict[str, Shadowed]:
        """What shadows answered so far, by bundle."""
        return self._shadow.sums()

    def _now(self) -> InForce:
        """What is in force; desks of bundles that no longer are let go, and with them the bundles' memory."""
        now = self._in_force()
        if now is not self._last:
            self._last = now
            self._desks = {b: desk for b, desk in self._desks.items() if b in now.phases}
            self._shadow.keep(now.traffic.shadow)
        return now

    def _desk(self, now: InForce, bundle: str) -> Desk:
        """Made when it is first asked."""
        phases, desk = now.phases[bundle], self._desks.get(bundle)
        if desk is None or desk.release is not phases.release:
            topology, tally = self._way(phases), self._tallies[bundle]
            desk = self._desks[bundle] = Desk(phases.release, topology, self._limits, self._meters, tally)
        return desk

    def _name(self, variant: str) -> str:
        return self._variant if variant == PRODUCTION else variant
