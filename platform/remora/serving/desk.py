"""Where requests of one bundle are answered: ids become rows, a topology finds the slate, rows become ids again."""

from __future__ import annotations

import time
from dataclasses import replace

from remora.contracts.errors import BadRequest, NotReady, Refused
from remora.pipeline import Query, Slate
from remora.pipeline.deadline import NEVER, Deadline
from remora.pipeline.runner import stage_name
from remora.registry.traffic import PRODUCTION
from remora.serving.arrival import Arrival
from remora.serving.messages import DEFAULT_SURFACE, ExplainRequest, RecommendRequest
from remora.serving.meters import Meters
from remora.serving.patience import within
from remora.serving.phases import OtherBundle
from remora.serving.question import item_row, question
from remora.serving.release import Release
from remora.serving.remembered_slates import RememberedSlates
from remora.serving.tallies import AnswerTally
from remora.serving.topologies import Topology
from remora.serving.why import Why
from remora.settings.tree import ServingSettings
from remora.surfaces.rehearsals import probe
from remora.surfaces.responses import RecommendResponse, response_to

LAST_RESORT = "last_resort"
FALLBACK = "{}_fallback"
"""A rung that is a source bears another name than the source, which may be skipped in a slate that is no fallback."""


class Desk:
    """Answers requests for one release; plain, so that it is tested without a server.

    A phase of a graph may not have the release, for a moment: the last resort answers then, or OtherBundle is raised
    where ``yields`` says that another desk is asked next.
    """

    def __init__(
        self,
        release: Release,
        topology: Topology,
        limits: ServingSettings,
        meters: Meters | None = None,
        tally: AnswerTally | None = None,
    ) -> None:
        self.release, self.topology, self.limits, self.meters = release, topology, limits, meters
        self.tally = tally or AnswerTally()
        self.remembered = RememberedSlates(limits.remembered_slates)
        self.warm = False

    async def recommend(
        self, asked: RecommendRequest, arrival: Arrival, variant: str = PRODUCTION, *, yields: bool = False
    ) -> RecommendResponse:
        """The slate of a surface for a user, who was dealt this release as ``variant``."""
        try:
            return await self._answer(self._query(asked, arrival), arrival, variant, yields)
        except (Refused, OtherBundle):
            raise
        except Exception:
            self.tally.broke()
            raise

    async def explain(self, asked: ExplainRequest, arrival: Arrival) -> Why:
        """Why the user's slate has the item or has not, by the request replayed; NotFound for an unknown item."""
        query, row = self._query(asked, arrival), item_row(self.release, asked.item_id)
        try:
            return await within(self.limits.most_timeout_ms / 1e3, self.topology.why(query, row))
        except TimeoutError as late:
            raise NotReady(f"no explanation within {self.limits.most_timeout_ms:g} ms") from late

    async def warm_up(self) -> None:
        """Send one request along the whole way; NotReady while a part of it is out."""
        if not self.warm:
            try:
                await within(
                    self.limits.most_timeout_ms / 1e3, self.topology.slate(probe(self.release.parts, DEFAULT_SURFACE))
                )
            except TimeoutError as late:
                raise NotReady("the warm-up request took too long") from late
            self.warm = True

    async def _answer(self, query: Query, arrival: Arrival, variant: str, yields: bool) -> RecommendResponse:
        start, patience_ms, fell = time.perf_counter(), self._patience_ms(arrival), True
        try:
            slate = await within(patience_ms / 1e3, self.topology.slate(query))
            self.remembered.keep(query, slate)
            fell = False
        except TimeoutError:
            slate = self._last_resort(query, f"no slate within {patience_ms:g} ms")
        except NotReady as reason:
            if yields and isinstance(reason, OtherBundle):
                raise
            slate = self._last_resort(query, str(reason))
        total = {"total": (time.perf_counter() - start) * 1e3}
        slate = replace(slate, timings_ms={**slate.timings_ms, **total})
        response = response_to(query, slate, self.release.parts, bundle=self.release.bundle, variant=variant)
        self.tally.answered(response, wanted=query.n, within_ms=patience_ms, fell=fell)
        if self.meters is not None:
            self.meters.answered(query, slate, response)
        return response

    def _last_resort(self, query: Query, reason: str) -> Slate:
        """The user's last whole slate where this replica has one; else what the segment of the context wants; either
        filled up with popular items, which are the last rung."""
        query = replace(query, sources_until=NEVER, scoring_until=NEVER)
        ladder, cache = self.release.last_resort, stage_name(self.remembered)
        slate, rung = replace(ladder, sources=(self.remembered,)).run(query), cache
        found = slate.counts[cache] > 0
        if self.meters is not None:
            self.meters.looked_up(cache, found)
        if not found:
            slate = ladder.run(query)
            gave = (FALLBACK.format(name) for name in map(stage_name, ladder.sources) if slate.counts[name])
            rung = next(gave, LAST_RESORT)
        if self.meters is not None:
            self.meters.fell_back(query.surface, rung)
        return replace(slate, degraded=(f"{rung}: {reason}", *slate.degraded))

    def _patience_ms(self, arrival: Arrival) -> float:
        """How long the caller waits, or is taken to."""
        return min(arrival.timeout_ms or self.limits.timeout_ms, self.limits.most_timeout_ms)

    def _query(self, asked: RecommendRequest, arrival: Arrival) -> Query:
        if asked.n > self.limits.most_items:
            raise BadRequest(f"n is {asked.n}; this server gives at most {self.limits.most_items} items.")
        patience = self._patience_ms(arrival) / 1e3
        return replace(
            question(self.release, asked, arrival.request_id),
            sources_until=Deadline.after(patience * self.limits.sources_share),
            scoring_until=Deadline.after(patience * self.limits.scoring_share),
        )
