"""The live state of users: each event that comes changes the row of its user in the online store."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice

from remora.core.tables import EVENT_TIMESTAMP, KNOWN_TIMESTAMP, USER_ID
from remora.features.live.beginning import Event, LiveBeginning, begin
from remora.features.live.row_store import LiveRowStore
from remora.features.live.user_events import UserEvents
from remora.features.live.user_rows import Row, UserRows, instants_of
from remora.settings import Settings

USERS_AT_ONCE = 500
"""Rows that are made and written together."""

MAX_UNKNOWN = 10_000
"""Events of unknown items: their items may be sent a moment later, or be in a log that was read before."""

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class LiveStats:
    """What a state did so far: events that it took, when it was that the last of them was ``learned``, rows that it
    wrote, and users whose row cannot be made now."""

    events: int = 0
    learned: datetime | None = None
    rows: int = 0
    failed: int = 0


class LiveUsers:
    """The state of the users of one writer, from where :func:`~remora.features.live.beginning.begin` begins.

    One thread uses it. ``clock`` says when it is, and the rows of a day's views are made again when a day begins. Users
    whose rows may be old wait in a queue behind those who do something now.
    """

    def __init__(
        self, beginning: LiveBeginning, store: LiveRowStore, *, most_events: int, clock: Callable[[], datetime]
    ) -> None:
        self.tables, self.stats = beginning.tables, LiveStats()
        self._topics, self._counts = beginning.topics, beginning.counts
        self._sent_items, self._sent_users = beginning.items, beginning.users
        self._came, self._touched = list[Event](), dict[str, None]()
        self._unknown: deque[Event] = deque(maxlen=MAX_UNKNOWN)
        self._store, self._clock = store, clock
        self._events = UserEvents(beginning.lake, beginning.collected, most=most_events)
        self._rows = UserRows(beginning.views, beginning.context)
        self._day = self._today()
        self._waiting: dict[str, None] = {}

    @classmethod
    def open(cls, settings: Settings, store: LiveRowStore, writer: int) -> LiveUsers:
        """Read lake and files, and take what the log has; see :func:`begin`."""
        beginning = begin(settings, writer)
        # Historical data ends, and what is sent happens behind its end: its day is that of the events themselves.
        clock = (lambda: beginning.end) if settings.data.clock == "data" else (lambda: datetime.now(UTC))
        state = cls(beginning, store, most_events=settings.events.live.max_events_per_user, clock=clock)
        while state.take(0.0):
            pass
        return state

    def close(self) -> None:
        """Let the logs go."""
        for tail, _ in self._topics:
            tail.close()
        for sent in (self._sent_items, self._sent_users):
            if sent is not None:
                sent.close()

    def take(self, seconds: float) -> list[str]:
        """Take the events that came, waiting at most so long for the first, and what was sent of users; whose state
        they change. StorageError, NotReady while a log cannot be read: what was read of the others is not lost."""
        for place, (tail, convert) in enumerate(self._topics):
            self._came += _events(tail.poll(0.0 if place else seconds), convert)
        # After the events, so that an item is known that was sent before them.
        self._learn_items()
        self._add(self._came)
        self._came = []
        if self._sent_users is not None:
            self._touched |= dict.fromkeys(user for user in self._sent_users.poll() if self._counts.has(user))
        touched, self._touched = list(self._touched), {}
        return touched

    def _learn_items(self) -> None:
        if self._sent_items is None or not (updates := self._sent_items.poll()):
            return
        self._rows.context = self._sent_items.added_to(self._rows.context, updates)
        self._counts.items.update(update.id for update in updates)
        waiting, self._unknown = [*self._unknown], deque(maxlen=MAX_UNKNOWN)
        self._add(waiting)

    def _add(self, events: Iterable[Event]) -> None:
        counted = list[Event]()
        for event in events:
            if self._counts.takes(event):
                counted.append(event)
            elif self._counts.awaits_item(event):
                self._unknown.append(event)
        self._touched |= dict.fromkeys(self._events.add(counted))
        self._rows.forget_days((event[USER_ID], event[EVENT_TIMESTAMP].date()) for event in counted)
        self.stats.events += len(counted)
        if counted:
            self.stats.learned = counted[-1][KNOWN_TIMESTAMP]

    def write(self, users: Iterable[str]) -> None:
        """Put the rows of users in place."""
        some = iter(users)
        while chosen := list(islice(some, USERS_AT_ONCE)):
            rows = self._made(chosen)
            if rows:
                self._store.write(rows, self.tables)
            self.stats.rows += len(rows)
        self.stats.failed = len(self._rows.failed)

    def _made(self, users: list[str]) -> dict[str, Row]:
        """Of what they did and of what was sent of them. A user whose events fail keeps the row of before."""
        events = self._events.of(users)
        acting = set(events[USER_ID])
        some = [user for user in users if user in acting]
        rows = self._rows.of(events, instants_of(some, events, self._clock())) if some else {}
        sent = self._sent_users.of(users) if self._sent_users is not None else {}
        for user, row in sent.items():
            if user in rows or user not in acting:
                rows[user] = {**rows.get(user, {}), **row}
        return rows

    def put_off(self, users: Iterable[str]) -> None:
        """Write the rows of users when there is time: see :meth:`catch_up`."""
        self._waiting |= dict.fromkeys(users)

    def changed_users(self) -> list[str]:
        """Who did something since the lake, or was sent since the feature tables."""
        sent = self._sent_users.changed() if self._sent_users is not None else []
        return list(dict.fromkeys([*self._events.added_users(), *filter(self._counts.has, sent)]))

    def catch_up(self) -> bool:
        """Write some of the rows that wait; False where none does. Where a day has begun, all do."""
        if (today := self._today()) != self._day:
            self._day = today
            self.put_off(self.changed_users())
        chosen = list(islice(self._waiting, USERS_AT_ONCE))
        self.write(chosen)
        for user in chosen:
            self._waiting.pop(user, None)
        return bool(chosen)

    def _today(self) -> date:
        return self._clock().date()


def _events(records: list[bytes], convert: Callable[[bytes], Iterable[Event]]) -> Iterator[Event]:
    """Of records, one of which that cannot be read is left out."""
    for record in records:
        try:
            yield from convert(record)
        except Exception:
            logger.exception("a record of the log of events cannot be read and is left out")
