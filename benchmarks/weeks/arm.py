"""One arm: a world, and the replica that recommends to its users; what happens in it day by day, and what that cost.

Visits of a day are gone through together, round after round, a slate for each user who is still there, as
:func:`remora.simulation.visits.visits` does. Each request and each event has its own instant all the same, and those of
one user come in order: no user sees what another did on the same day, neither in the world nor in the live state.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from benchmarks.weeks.clock import SimulatedClock
from benchmarks.weeks.replica import SimulatedReplica

from remora.core.tables import ITEM_ID, KNOWN_TIMESTAMP, USER_ID
from remora.simulation.behaviour import Floats, Indices
from remora.simulation.simulated_events import READING_SECONDS, as_json
from remora.simulation.tables import history
from remora.simulation.truth import best_slates, slate_values
from remora.simulation.visits import DWELL_SECONDS, Interactions
from remora.simulation.world import UNKNOWN, World
from remora.simulation.world_settings import WorldSettings

Due = tuple[datetime, dict[str, Any]]

REQUESTS: dict[str, Any] = {
    "request_id": pl.String,
    "day": pl.Int64,
    "user": pl.Int64,
    "bot": pl.Boolean,
    "value": pl.Float64,
    "best": pl.Float64,
    "seen": pl.Int64,
    "under_way": pl.Int64,
    "degraded": pl.String,
    "variant": pl.String,
}
"""What is kept of each request. ``value`` and ``best``: the expected reward of the slate that was shown, and of the
best one that there was. ``seen``: items of the slate that the server had been told the user had; ``under_way``: the
user had them, and the event had not arrived."""


class SimulatedArm:
    """Begins behind the first ``days`` of a world, which the logging policy made; equal settings have an equal past."""

    def __init__(
        self, name: str, chosen: WorldSettings, days: int, replica: SimulatedReplica, clock: SimulatedClock
    ) -> None:
        self.name, self.replica, self._clock = name, replica, clock
        self.world = world = World(chosen)
        past = history(world, days)
        self._events = past.events
        self._item = {id: row for row, id in enumerate(world.item_ids)}
        self._user = {id: row for row, id in enumerate(world.user_ids)}
        self._told = np.zeros(world.clicked.shape, np.bool_)
        users, items = (past.rows[name].to_list() for name in (USER_ID, ITEM_ID))
        self._told[[self._user[one] for one in users], [self._item[one] for one in items]] = True
        self._outbox: dict[int, list[Due]] = {}
        self._put(past.under_way)
        self._dwell = np.random.default_rng([chosen.seed, 9])
        self._kept: dict[str, list[Any]] = {column: [] for column in REQUESTS}
        self.accepted: list[str] = []
        self.verdicts: Counter[str] = Counter()

    @property
    def requests(self) -> pl.DataFrame:
        """All so far: :data:`REQUESTS`."""
        return pl.DataFrame(self._kept, schema=REQUESTS)

    def live(self, day: int) -> None:
        """Let a day pass, from its midnight to the next."""
        world = self.world
        world.advance(day)
        self._clock.set(day)
        self.replica.follow()
        users, at = world.visitors(day, np.random.default_rng([world.settings.seed, 8, day]))
        world.begin(users)
        while len(users):
            self._deliver(day, {user: self._clock.at(when) for user, when in zip(users.tolist(), at, strict=True)})
            users, at = self._round(day, users, at)
        self._deliver(day, dict.fromkeys(list(self._outbox), self._clock.at(day + 1)))
        self._clock.set(day + 1)

    def _round(self, day: int, users: Indices, at: Floats) -> tuple[Indices, Floats]:
        """A slate for each; who stays, and when they ask for the next. A visit ends at midnight."""
        world, it = self.world, self.world.settings
        slates, names = self._slates(day, users, at)
        best = best_slates(world, users, it.slate_size, at)
        has = world.clicked[users[:, None], slates] & (slates >= 0)
        told = self._told[users[:, None], slates] & (slates >= 0)
        self._keep(
            value=slate_values(world, users, slates, at),
            best=slate_values(world, users, best, at),
            seen=told.sum(axis=1),
            under_way=(has & ~told).sum(axis=1),
            day=np.full(len(users), day),
            user=users,
            bot=world.is_bot[users],
        )
        did = world.respond(users, slates, at)
        done = Interactions(
            users=users,
            visits=users,
            at=at,
            slates=slates,
            propensities=np.ones(slates.shape),
            clicked=did.clicked,
            converts=did.converts,
        )
        self._put(self._events.rows(done, names, [f"{self.name}-{day}-{user}" for user in users]))
        read = READING_SECONDS * it.slate_size + self._dwell.exponential(DWELL_SECONDS, len(users))
        at = at + read / 86_400
        stays = ~did.left & (at < day + 1)
        return users[stays], at[stays]

    def _slates(self, day: int, users: Indices, at: Floats) -> tuple[Indices, list[str]]:
        """Slates (b, n), and the names of their requests."""
        n = self.world.settings.slate_size
        slates, names = np.full((len(users), n), UNKNOWN), list[str]()
        for row, (user, when) in enumerate(zip(users.tolist(), at, strict=True)):
            names.append(f"{self.name}-{day}-{len(self._kept['request_id'])}")
            self._clock.set(when)
            answer = self.replica.recommend(self.world.user_ids[user], n, names[-1])
            shown = [self._item[one["item_id"]] for one in answer["items"]]
            slates[row, : len(shown)] = shown
            codes = sorted({one.partition(":")[0] for one in answer["degraded"]})
            for column, value in (("degraded", ",".join(codes)), ("variant", answer["variant"])):
                self._kept[column].append(value)
            self._kept["request_id"].append(names[-1])
        return slates, names

    def _put(self, rows: pl.DataFrame) -> None:
        """Keep events until they are due."""
        if rows.is_empty():
            return
        whose, due = rows[USER_ID].to_list(), rows[KNOWN_TIMESTAMP].to_list()
        for user, when, event in zip(whose, due, as_json(rows), strict=True):
            self._outbox.setdefault(self._user[user], []).append((when, event))

    def _deliver(self, day: int, until: dict[int, datetime]) -> None:
        """Send what is due of users, each user's events in one request, and let the live state follow."""
        sent = False
        for user, end in until.items():
            waiting = self._outbox.get(user, ())
            due = sorted((one for one in waiting if one[0] < end), key=lambda one: one[0])
            if not due:
                continue
            self._outbox[user] = [one for one in waiting if one[0] >= end]
            self._clock.now = due[-1][0]
            self._send(user, [event for _, event in due])
            sent = True
        if sent:
            self._clock.set(day)  # rows hold from the day's midnight, or from right after the user's last event
            self.replica.follow_log()

    def _send(self, user: int, events: list[dict[str, Any]]) -> None:
        for event, verdict in zip(events, self.replica.send(events), strict=True):
            self.verdicts[verdict["verdict"]] += 1
            if verdict["verdict"] == "accepted":
                self.accepted.append(verdict["event_id"])
                self._told[user, self._item[event[ITEM_ID]]] = True

    def _keep(self, **columns: Any) -> None:
        for name, values in columns.items():
            self._kept[name].extend(values.tolist())
