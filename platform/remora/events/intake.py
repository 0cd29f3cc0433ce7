"""From events that are sent to the log: judged, de-duplicated, and on the disk before they are answered."""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from remora.core.tables import EVENT_ID, KNOWN_TIMESTAMP
from remora.events.contract import EventContract, Unacceptable
from remora.events.group_commit import GroupCommit
from remora.events.log import EventLog

ACCEPTED: Literal["accepted"] = "accepted"
DUPLICATE: Literal["duplicate"] = "duplicate"
QUARANTINED: Literal["quarantined"] = "quarantined"
NOT_TAKEN = "not taken"
REASON, ROW = "reason", "row"
MAX_ROW_CHARACTERS = 4_096
"""Of an event that was not accepted, as the quarantine keeps it."""


class IntakeVerdict(NamedTuple):
    """What became of one event; ``event_id`` is empty where it has none, ``reason`` where it is not quarantined."""

    verdict: Literal["accepted", "duplicate", "quarantined"]
    event_id: str = ""
    reason: str = ""


class Intake(GroupCommit[Sequence[Any], list[IntakeVerdict]]):
    """Takes events: of each request the verdicts, in the order of its events, once all that are accepted or quarantined
    are on the disk.

    ``max_known`` ids are remembered, so that an event that is sent again soon is answered as a duplicate; the lake has
    each id once in any case. ``clock`` says when it is; ``counted`` is called with how many events had a verdict or
    were :data:`NOT_TAKEN`.
    """

    noun = "events"

    def __init__(
        self,
        log: EventLog,
        contract: EventContract,
        *,
        max_waiting: int = 20_000,
        max_known: int = 100_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        counted: Callable[[str, int], None] = lambda verdict, count: None,
    ) -> None:
        self._contract, self._clock, self._counted, self._max_known = contract, clock, counted, max_known
        self._known: OrderedDict[str, None] = OrderedDict()
        super().__init__(log, max_waiting=max_waiting)

    def _size(self, request: Sequence[Any]) -> int:
        return len(request)

    def _prepare(self, requests: Sequence[Sequence[Any]]) -> tuple[list[bytes], list[list[IntakeVerdict]]]:
        now, records, fresh = self._clock(), list[bytes](), set[str]()
        return records, [[self._judged(raw, now, records, fresh) for raw in events] for events in requests]

    def _written(self, answers: Sequence[list[IntakeVerdict]]) -> None:
        verdicts = [one for found in answers for one in found]
        for one in verdicts:
            if one.verdict == ACCEPTED:
                self._known[one.event_id] = None
        while len(self._known) > self._max_known:
            self._known.popitem(last=False)
        for verdict, count in Counter(one.verdict for one in verdicts).items():
            self._counted(verdict, count)

    def _not_taken(self, count: int) -> None:
        self._counted(NOT_TAKEN, count)

    def _judged(self, raw: Any, now: datetime, records: list[bytes], fresh: set[str]) -> IntakeVerdict:
        record, verdict = judged(raw, self._contract, now)
        if verdict.verdict == ACCEPTED:
            if verdict.event_id in self._known or verdict.event_id in fresh:
                return IntakeVerdict(DUPLICATE, verdict.event_id)
            fresh.add(verdict.event_id)
        records.append(record)
        return verdict


def judged(raw: Any, contract: EventContract, now: datetime) -> tuple[bytes, IntakeVerdict]:
    """The record of one event in the log, and whether it is accepted or quarantined."""
    try:
        event = contract.accept(raw, now)
    except Unacceptable as reason:
        given = raw.get(EVENT_ID) if isinstance(raw, dict) else None
        verdict = IntakeVerdict(QUARANTINED, given if isinstance(given, str) else "", str(reason))
        return _encoded(_quarantined(raw, str(reason), now)), verdict
    return _encoded(event), IntakeVerdict(ACCEPTED, event[EVENT_ID])


def _quarantined(raw: Any, reason: str, now: datetime) -> dict[str, Any]:
    row = json.dumps(raw, ensure_ascii=False)
    return {
        REASON: reason,
        ROW: row[:MAX_ROW_CHARACTERS],
        KNOWN_TIMESTAMP: now.isoformat(timespec="microseconds"),
    }


def _encoded(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()
