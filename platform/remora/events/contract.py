"""One event that is sent, held against the contract of ingest: the same reasons, in the same order.

Ids are compared with no catalogue here. An item may have been added a moment ago; the ingest, which has the items
table, says of each event whether its item is known.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID, VALUE
from remora.core.vocabulary import MAX_ID_CHARACTERS
from remora.ingest.contract import EARLY, FUTURE, NEGATIVE, UNDECLARED, UNREAD
from remora.ingest.sent_events import CONTEXT
from remora.settings import DataSettings

MAX_CONTEXT_VALUES = 64
REQUIRED = (USER_ID, ITEM_ID, EVENT_TYPE)
TEXTS = (EVENT_ID, *REQUIRED, "session_id", "surface", "request_id")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Unacceptable(Exception):
    """Not an error: an event breaks the contract, for the reason that ``str()`` says."""


def _text(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID_CHARACTERS:
        raise ValueError
    return value


def finite_number(value: Any) -> float:
    """A number of JSON; ValueError for anything else, truth values among them."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError
    return float(value)


def _place(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value) or not 1 <= value < 2**31:
        raise ValueError
    return int(value)


def instant_of(value: Any) -> datetime:
    """A time of RFC 3339, whose offset says which instant it is; ValueError for anything else."""
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)


def _context(value: Any) -> str:
    """As JSON with its names in order, which is how the log has it."""
    if not isinstance(value, dict) or len(value) > MAX_CONTEXT_VALUES:
        raise ValueError
    for name, one in value.items():
        _text(name)
        if isinstance(one, str) and len(one) > MAX_ID_CHARACTERS:
            raise ValueError
        if not isinstance(one, str | bool):
            finite_number(one)
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


FIELDS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    **dict.fromkeys(TEXTS, (_text, f"text of 1 to {MAX_ID_CHARACTERS} characters")),
    EVENT_TIMESTAMP: (instant_of, "time (RFC 3339 with its offset, such as 2026-11-30T18:20:00Z)"),
    VALUE: (finite_number, "number"),
    "position": (_place, "integer, from 1"),
    CONTEXT: (_context, f"object of at most {MAX_CONTEXT_VALUES} texts, numbers and truth values"),
}
"""What each field of an event is read by, and how that is called."""


@dataclass(frozen=True, kw_only=True)
class EventContract:
    """What one event is held against; ``earliest``: a time before it is no time of an event."""

    event_types: frozenset[str]
    earliest: datetime
    skew: timedelta

    @classmethod
    def of(cls, data: DataSettings) -> EventContract:
        """As the ingest does."""
        return cls(
            event_types=frozenset(data.event_types),
            earliest=datetime.combine(data.earliest, time(), UTC),
            skew=timedelta(seconds=data.max_clock_skew_seconds),
        )

    def accept(self, raw: Any, now: datetime) -> dict[str, Any]:
        """The event as the log has it, learned ``now``; Unacceptable with the reason.

        An event without a time happened now. One without an id gets one of its content, so that it is the same event
        when it is sent again with the same time.
        """
        if not isinstance(raw, dict):
            raise Unacceptable("the event is no JSON object")
        if unknown := sorted(raw.keys() - FIELDS.keys()):
            raise Unacceptable(f"an event has no field '{unknown[0][:40]}'; it has: {', '.join(FIELDS)}")
        event = {name: _read(name, value) for name, value in raw.items() if value is not None}
        for name in REQUIRED:
            if name not in event:
                raise Unacceptable(f"{name} is missing")
        happened = event.setdefault(EVENT_TIMESTAMP, now)
        if happened < _EPOCH:
            raise Unacceptable(NEGATIVE)
        if happened < self.earliest:
            raise Unacceptable(f"{EARLY}{self.earliest:%Y-%m-%d}")
        if happened > now + self.skew:
            raise Unacceptable(FUTURE)
        if event[EVENT_TYPE] not in self.event_types:
            raise Unacceptable(UNDECLARED)
        event[EVENT_TIMESTAMP] = happened.isoformat(timespec="microseconds")
        if EVENT_ID not in event:
            event[EVENT_ID] = content_id(event)
        event[KNOWN_TIMESTAMP] = now.isoformat(timespec="microseconds")
        return event


def content_id(event: Mapping[str, Any]) -> str:
    """128 bits of what an event says, in hex: the same for the same content, in whatever order it stands."""
    text = json.dumps(event, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _read(name: str, value: Any) -> Any:
    read, called = FIELDS[name]
    try:
        return read(value)
    except (ValueError, OverflowError):
        raise Unacceptable(f"{name}{UNREAD}{called}") from None
