"""Drives a running endpoint over HTTP: users of a world come, get slates, and what they do is sent back."""

from __future__ import annotations

import heapq
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import numpy as np
from pydantic import BaseModel

from remora.core.errors import BadRequest, NotReady
from remora.core.http_answers import answer_as, detail_of
from remora.core.tables import EVENT_TIMESTAMP, KNOWN_TIMESTAMP
from remora.events.verdicts_answer import VerdictsAnswer
from remora.simulation.home_world import days_since_start
from remora.simulation.simulated_events import SimulatedEvents, as_json
from remora.simulation.visits import Interactions
from remora.simulation.world import UNKNOWN, World

MAX_VISITS = 20
"""Users who are there at one time; a visit's slates come in turn."""
MAX_FAILURES = 10
"""In a row, after which the endpoint is taken for one that is gone."""
MAX_SENT = 500
"""Events of one request."""


class _ShownItem(BaseModel):
    item_id: str


class _ShownSlate(BaseModel):
    """What a client reads of a slate."""

    request_id: str
    items: list[_ShownItem]


@dataclass
class DriveSummary:
    """The result of a run: requests, those that failed by cause, events by verdict, clicks by place, latencies.

    ``shown`` and ``clicked`` count places from 1; ``unsent`` are events that were not due, or not taken, at the end.
    """

    requests: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    shown: Counter[int] = field(default_factory=Counter)
    clicked: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    unsent: int = 0

    def as_json(self) -> dict[str, Any]:
        """For machines; latencies in ms, None where no request was answered."""
        p50, p99 = np.percentile(self.latencies, [50, 99]) * 1_000 if self.latencies else (None, None)
        rates = {place: round(self.clicked[place] / shown, 4) for place, shown in sorted(self.shown.items())}
        return {
            "requests": self.requests,
            "failures": dict(self.failures),
            "events": dict(self.verdicts),
            "reasons": dict(self.reasons),
            "unsent": self.unsent,
            "click_rate_by_position": rates,
            "p50_ms": None if p50 is None else round(float(p50), 1),
            "p99_ms": None if p99 is None else round(float(p99), 1),
        }


class EndpointDriver:
    """One caller of an endpoint, in whose ``client`` its URL is; ``clock`` is UTC, ``rest`` sleeps for seconds.

    Events that are not ``timed`` happen when they arrive, by the endpoint's own clock: over historical data that is
    behind the end of the data, and any other time would be in the future.
    """

    def __init__(
        self,
        client: httpx.Client,
        world: World,
        events: SimulatedEvents,
        *,
        surface: str,
        n: int = 10,
        timed: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rest: Callable[[float], None] = time.sleep,
    ) -> None:
        self.summary = DriveSummary()
        self._client, self._world, self._events = client, world, events
        self._surface, self._n, self._timed = surface, n, timed
        self._clock, self._rest = clock, rest
        self._row_of = {id: row for row, id in enumerate(world.item_ids)}
        self._draw = np.random.default_rng([world.settings.seed, 7])
        self._visits = deque[tuple[int, str]]()
        self._outbox: list[tuple[datetime, int, dict[str, Any]]] = []
        self._numbers = count()
        self._failed_in_a_row = 0

    def drive(self, seconds: float, rate: float) -> Iterator[int]:
        """Ask ``rate`` times a second, or as fast as answers come; yields the number of requests after each.

        NotReady where nothing answers or events are not taken, BadRequest where the surface is refused.
        """
        self._check_intake()
        began = self._clock()
        try:
            for number in count():
                due = began + timedelta(seconds=number / rate)
                self._rest(max((due - self._clock()).total_seconds(), 0.0))
                if (self._clock() - began).total_seconds() >= seconds:
                    break
                self._one_request()
                self._send_due()
                yield self.summary.requests
            self._send_due()
        finally:
            self.summary.unsent = len(self._outbox)

    def _check_intake(self) -> None:
        """A request without events is refused by an intake; without an intake the path is unknown."""
        if self._post("/v1/events", {"events": []}).status_code in (404, 405):
            raise NotReady(
                f"{self._client.base_url} takes no events: its settings have `events.intake: false`, or a home without "
                f"a log. Change that and run `remora serve start` again."
            )

    def _one_request(self) -> None:
        user, session = self._next_visit()
        asked = {"user_id": str(self._world.user_ids[user]), "n": self._n, "surface": self._surface}
        began = time.perf_counter()
        try:
            answer = self._post("/v1/recommend", asked)
        except NotReady:
            if not self.summary.latencies:
                raise
            self._count_failure("no answer")
            return
        self.summary.requests += 1
        if answer.status_code in (400, 404, 413, 422):
            raise BadRequest(f"The endpoint refuses a request for the surface {self._surface}: {detail_of(answer)}")
        if answer.status_code != 200:
            self._count_failure(f"status {answer.status_code}")
            return
        self.summary.latencies.append(time.perf_counter() - began)
        self._failed_in_a_row = 0
        slate = answer_as(answer, _ShownSlate)
        if self._react(user, session, slate.request_id, [item.item_id for item in slate.items]):
            self._visits.append((user, session))

    def _next_visit(self) -> tuple[int, str]:
        """Whose turn it is: visits begin until MAX_VISITS are there, of users by their activity and trust."""
        if len(self._visits) >= MAX_VISITS:
            return self._visits.popleft()
        world = self._world
        weights = world.activity * world.trust * ~world.has_left
        weights[[user for user, _ in self._visits]] = 0.0
        if not weights.any():
            if not self._visits:
                raise NotReady("Every user of this world has left. Run again with another --seed.")
            return self._visits.popleft()
        user = int(self._draw.choice(len(weights), p=weights / weights.sum()))
        world.begin(np.array([user]))
        return user, f"simulated-{self._clock():%Y%m%dT%H%M%S}-{next(self._numbers)}"

    def _react(self, user: int, session: str, request_id: str, items: list[str]) -> bool:
        """The user's events go to the outbox; does the visit continue?"""
        if not items:
            return False
        now = np.array([days_since_start(self._world.settings, self._clock())])
        self._world.advance(now[0])
        slate = np.array([[self._row_of.get(item, UNKNOWN) for item in items]])
        users = np.array([user])
        response = self._world.respond(users, slate, now)
        done = Interactions(
            users=users,
            visits=users,
            at=now,
            slates=slate,
            propensities=np.zeros(slate.shape),
            clicked=response.clicked,
            converts=response.converts,
        )
        self.summary.shown.update(range(1, len(items) + 1))
        self.summary.clicked.update((np.flatnonzero(response.clicked[0]) + 1).tolist())
        rows = self._events.rows(done, [request_id], [session], self._surface)
        for due, event in zip(rows[KNOWN_TIMESTAMP].to_list(), as_json(rows), strict=True):
            if not self._timed:
                del event[EVENT_TIMESTAMP]
            heapq.heappush(self._outbox, (due, next(self._numbers), event))
        return not response.left[0]

    def _send_due(self) -> None:
        """What shall be delivered by now; it stays in the outbox while the endpoint does not take it."""
        now, due = self._clock(), list[tuple[datetime, int, dict[str, Any]]]()
        while self._outbox and self._outbox[0][0] <= now and len(due) < MAX_SENT:
            due.append(heapq.heappop(self._outbox))
        if not due:
            return
        try:
            answer = self._post("/v1/events", {"events": [event for _, _, event in due]})
        except NotReady:
            answer = None
        if answer is None or answer.status_code != 200:
            for one in due:
                heapq.heappush(self._outbox, one)
            self._count_failure("events not taken")
            return
        for found in answer_as(answer, VerdictsAnswer).verdicts:
            self.summary.verdicts[found.verdict] += 1
            if found.reason:
                self.summary.reasons[found.reason] += 1

    def _count_failure(self, cause: str) -> None:
        self.summary.failures[cause] += 1
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= MAX_FAILURES:
            raise NotReady(f"{self._client.base_url} failed {MAX_FAILURES} times in a row, at last: {cause}.")

    def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        try:
            return self._client.post(path, json=body)
        except httpx.RequestError as error:
            where = self._client.base_url
            raise NotReady(f"Nothing answers at {where} ({error}). Run `remora serve start` first.") from error
