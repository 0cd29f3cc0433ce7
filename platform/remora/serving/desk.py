"""Where requests come in: ids become rows, a topology finds the slate, rows become ids again."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from datetime import datetime

from remora.contracts.errors import BadRequest, NotFound, NotReady
from remora.pipeline import Candidates, Query, Slate
from remora.pipeline.runner import stage_name
from remora.serving.arrival import Arrival
from remora.serving.messages import SEED, RecommendedItem, RecommendRequest, RecommendResponse
from remora.serving.meters import Meters
from remora.serving.release import Release
from remora.serving.remembered_slates import RememberedSlates
from remora.serving.topologies import Topology
from remora.settings.tree import ServingSettings

LAST_RESORT = "last_resort"
WARM_UP = "warm-up"


class Desk:
    """Answers requests for one release; plain, so that it is tested without a server."""

    def __init__(self, release: Release, topology: Topology, limits: ServingSettings, meters: Meters) -> None:
        self.release, self.topology, self.limits, self.meters = release, topology, limits, meters
        self.remembered = RememberedSlates(limits.remembered_slates)
        self.warm = False

    async def recommend(self, asked: RecommendRequest, arrival: Arrival) -> RecommendResponse:
        """The slate of a surface for a user."""
        seed = asked.context.get(SEED)
        if asked.surface == "similar_items" and not isinstance(seed, str):
            raise BadRequest(
                f"The surface similar_items needs context.{SEED}, the item that similar ones are asked for."
            )
        query = self._query(arrival, asked.surface, asked.n, user_id=asked.user_id)
        vocabulary = self.release.parts.vocabulary
        query = replace(query, context=asked.context, exclude=vocabulary.rows(asked.exclude))
        query = query if seed is None else replace(query, item=self._row(str(seed)))
        return await self._answer(query, arrival)

    async def similar(self, item_id: str, n: int, user_id: str | None, arrival: Arrival) -> RecommendResponse:
        """Items similar to one; NotFound when the catalogue does not have it."""
        query = self._query(arrival, "similar_items", n, user_id=user_id)
        return await self._answer(replace(query, item=self._row(item_id)), arrival)

    async def warm_up(self) -> None:
        """Send one request along the whole way; NotReady while a part of it is out."""
        if not self.warm:
            query = Query(request_id=WARM_UP, surface="home_feed", n=1, instant=self.release.instant())
            try:
                await asyncio.wait_for(self.topology.slate(query), self.limits.timeout_ms / 1e3)
            except TimeoutError as late:
                raise NotReady("the warm-up request took too long") from late
            self.warm = True

    async def _answer(self, query: Query, arrival: Arrival) -> RecommendResponse:
        start, patience_ms = time.perf_counter(), self._patience_ms(arrival)
        try:
            slate = await asyncio.wait_for(self.topology.slate(query), patience_ms / 1e3)
            self.remembered.keep(query, slate)
        except TimeoutError:
            slate = self._last_resort(query, f"no slate within {patience_ms:g} ms")
        except NotReady as reason:
            slate = self._last_resort(query, str(reason))
        timings = {name: round(ms, 3) for name, ms in slate.timings_ms.items()}
        timings["total"] = round((time.perf_counter() - start) * 1e3, 3)
        response = RecommendResponse(
            request_id=query.request_id,
            surface=query.surface,
            bundle=self.release.bundle,
            variant=self.release.variant,
            items=self._items(slate.candidates),
            degraded=list(slate.degraded),
            timings_ms=timings,
        )
        self.meters.answered(response)
        return response

    def _last_resort(self, query: Query, reason: str) -> Slate:
        """The user's last whole slate where this replica has one, filled up with popular items; else only these."""
        ladder = replace(self.release.last_resort, sources=(self.remembered,))
        slate = ladder.run(replace(query, deadline_seconds=None))
        cache = stage_name(self.remembered)
        found = slate.counts[cache] > 0
        self.meters.looked_up(cache, found)
        rung = cache if found else LAST_RESORT
        return replace(slate, degraded=(f"{rung}: {reason}", *slate.degraded))

    def _patience_ms(self, arrival: Arrival) -> float:
        """How long the caller waits; never longer than the settings allow."""
        return min(arrival.timeout_ms or self.limits.timeout_ms, self.limits.timeout_ms)

    def _query(self, arrival: Arrival, surface: str, n: int, *, user_id: str | None) -> Query:
        if surface not in self.release.surfaces:
            raise BadRequest(f"There is no surface '{surface}'. There are: {', '.join(self.release.surfaces)}.")
        if n > self.limits.most_items:
            raise BadRequest(f"n is {n}; this server gives at most {self.limits.most_items} items.")
        instant: datetime = self.release.instant()
        deadline = time.time() + min(self.limits.budget_ms, self._patience_ms(arrival)) / 1e3
        return Query(
            request_id=arrival.request_id,
            surface=surface,
            n=n,
            instant=instant,
            user_id=user_id,
            deadline_seconds=deadline,
        )

    def _row(self, item_id: str) -> int:
        row = self.release.parts.vocabulary.row(item_id)
        if row is None:
            raise NotFound("item", item_id, f"The catalogue is that of bundle {self.release.bundle}.")
        return row

    def _items(self, candidates: Candidates) -> list[RecommendedItem]:
        parts = self.release.parts
        return [
            RecommendedItem(
                item_id=parts.vocabulary.id(row),
                position=place + 1,
                score=None if math.isnan(score) else score,
                sources=list(candidates.found_by(place)),
                title=parts.snapshot.titles[row],
            )
            for place, (row, score) in enumerate(zip(candidates.rows.tolist(), candidates.scores.tolist(), strict=True))
        ]
