"""Where requests come in: ids become rows, a topology finds the slate, rows become ids again."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from datetime import datetime

from remora.contracts.errors import BadRequest, NotFound, NotReady
from remora.pipeline import Candidates, Query, Slate
from remora.serving.messages import SEED, RecommendedItem, RecommendRequest, RecommendResponse
from remora.serving.meters import Meters
from remora.serving.release import Release
from remora.serving.topologies import Topology
from remora.settings.tree import ServingSettings

LAST_RESORT = "last_resort"
WARM_UP = "warm-up"


class Desk:
    """Answers requests for one release; plain, so that it is tested without a server."""

    def __init__(self, release: Release, topology: Topology, limits: ServingSettings, meters: Meters) -> None:
        self.release, self.topology, self.limits, self.meters = release, topology, limits, meters
        self.warm = False

    async def recommend(self, asked: RecommendRequest, request_id: str) -> RecommendResponse:
        """The slate of a surface for a user."""
        seed = asked.context.get(SEED)
        if asked.surface == "similar_items" and not isinstance(seed, str):
            raise BadRequest(
                f"The surface similar_items needs context.{SEED}, the item that similar ones are asked for."
            )
        query = self._query(request_id, asked.surface, asked.n, user_id=asked.user_id)
        vocabulary = self.release.parts.vocabulary
        query = replace(query, context=asked.context, exclude=vocabulary.rows(asked.exclude))
        return await self._answer(query if seed is None else replace(query, item=self._row(str(seed))))

    async def similar(self, item_id: str, n: int, user_id: str | None, request_id: str) -> RecommendResponse:
        """Items similar to one; NotFound when the catalogue does not have it."""
        query = self._query(request_id, "similar_items", n, user_id=user_id)
        return await self._answer(replace(query, item=self._row(item_id)))

    async def warm_up(self) -> None:
        """Send one request along the whole way; NotReady while a part of it is out."""
        if not self.warm:
            query = Query(request_id=WARM_UP, surface="home_feed", n=1, instant=self.release.instant())
            try:
                await asyncio.wait_for(self.topology.slate(query), self.limits.timeout_ms / 1e3)
            except TimeoutError as late:
                raise NotReady("the warm-up request took too long") from late
            self.warm = True

    async def _answer(self, query: Query) -> RecommendResponse:
        start = time.perf_counter()
        try:
            slate = await asyncio.wait_for(self.topology.slate(query), self.limits.timeout_ms / 1e3)
        except TimeoutError:
            slate = self._last_resort(query, f"no slate within {self.limits.timeout_ms:g} ms")
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
        slate = self.release.last_resort.run(replace(query, deadline_seconds=None))
        return replace(slate, degraded=(f"{LAST_RESORT}: {reason}", *slate.degraded))

    def _query(self, request_id: str, surface: str, n: int, *, user_id: str | None) -> Query:
        if surface not in self.release.surfaces:
            raise BadRequest(f"There is no surface '{surface}'. There are: {', '.join(self.release.surfaces)}.")
        if n > self.limits.most_items:
            raise BadRequest(f"n is {n}; this server gives at most {self.limits.most_items} items.")
        instant: datetime = self.release.instant()
        deadline = time.time() + self.limits.budget_ms / 1e3
        return Query(
            request_id=request_id, surface=surface, n=n, instant=instant, user_id=user_id, deadline_seconds=deadline
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
