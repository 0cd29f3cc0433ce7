"""From events that are sent to the log: judged, de-duplicated, and on the disk before they are answered."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from remora.core.errors import NotReady
from remora.core.tables import EVENT_ID, KNOWN_TIMESTAMP
from remora.events.contract import EventContract, Unacceptable
from remora.events.log import EventLog

ACCEPTED: Literal["accepted"] = "accepted"
DUPLICATE: Literal["duplicate"] = "duplicate"
QUARANTINED: Literal["quarantined"] = "quarantined"
NOT_TAKEN = "not taken"
REASON, ROW = "reason", "row"
IDLE_SECONDS = 1.0
MAX_ROW_CHARACTERS = 4_096
"""Of an event that was not accepted, as the quarantine keeps it."""

logger = logging.getLogger(__name__)


class IntakeVerdict(NamedTuple):
    """What became of one event; ``event_id`` is empty where it has none, ``reason`` where it is not quarantined."""

    verdict: Literal["accepted", "duplicate", "quarantined"]
    event_id: str = ""
    reason: str = ""


class NotTaken(NotReady):
    """Events that were not taken: nothing of them is kept, and they may be sent again."""


@dataclass
class _Batch:
    events: Sequence[Any]
    done: Future[list[IntakeVerdict]] = field(default_factory=Future)


class Intake:
    """Takes events for one log, with a thread of its own: what arrives while it writes is written together next.

    The thread judges, writes and answers, so that callers wait for the disk and for nothing else. At most
    ``max_waiting`` events wait; more are refused. ``max_known`` ids are remembered, so that an event that is sent again
    soon is answered as a duplicate; the lake has each id once in any case. ``clock`` says when it is; ``counted`` is
    called with how many events had a verdict or were :data:`NOT_TAKEN`.
    """

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
        self._log, self._contract, self._clock, self._counted = log, contract, clock, counted
        self._max_waiting, self._max_known = max_waiting, max_known
        self._known: OrderedDict[str, None] = OrderedDict()
        self._waiting: deque[_Batch] = deque()
        self._count, self._ended = 0, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self._thread.start()

    def take(self, events: Sequence[Any]) -> Future[list[IntakeVerdict]]:
        """The verdict of each, in their order, once all that are accepted or quarantined are on the disk.

        The future has NotTaken where the log fails. NotTaken at once when too many wait.
        """
        batch = _Batch(events)
        with self._changed:
            if self._ended:
                raise NotTaken("The server is about to stop. Nothing of this request was kept: send it again.")
            if self._count and self._count + len(events) > self._max_waiting:
                self._counted(NOT_TAKEN, len(events))
                raise NotTaken(f"{self._count:,} events wait to be written. Nothing of this request was kept.")
            self._count += len(events)
            self._waiting.append(batch)
            self._changed.notify()
        return batch.done

    def close(self) -> None:
        """Write what waits, and seal the log."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while batches := self._next():
            try:
                self._write(batches)
            except OSError as error:
                logger.exception("events cannot be written")
                said = f"Events cannot be written now ({error.strerror}). Nothing of this request was kept."
                self._fail(batches, NotTaken(said))
            except Exception as error:  # whatever it is, its callers must not wait, nor those after them
                logger.exception("events cannot be taken")
                self._fail(batches, error)
        self._tidy(self._log.seal)

    @staticmethod
    def _tidy(seal: Callable[[], None]) -> None:
        """What is on the disk stays there, sealed or not; and this thread must not end with a failing disk."""
        try:
            seal()
        except OSError:
            logger.exception("the log of events cannot be sealed now")

    def _next(self) -> list[_Batch]:
        """All that waits and whose callers are still there; nothing at the end."""
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    if not self._changed.wait(timeout=IDLE_SECONDS):
                        self._tidy(self._log.seal_if_old)
                if not self._waiting:
                    return []
                batches = [*self._waiting]
                self._waiting.clear()
                self._count = 0
            # From here on a caller that goes away no longer cancels: its events are taken.
            if wanted := [batch for batch in batches if batch.done.set_running_or_notify_cancel()]:
                return wanted

    def _write(self, batches: Sequence[_Batch]) -> None:
        now, records, fresh = self._clock(), list[bytes](), dict[str, None]()
        verdicts = [[self._judged(raw, now, records, fresh) for raw in batch.events] for batch in batches]
        if records:
            self._log.append(records)
        for id in fresh:
            self._known[id] = None
        while len(self._known) > self._max_known:
            self._known.popitem(last=False)
        for batch, found in zip(batches, verdicts, strict=True):
            batch.done.set_result(found)
        for verdict, count in Counter(one.verdict for found in verdicts for one in found).items():
            self._counted(verdict, count)

    def _judged(self, raw: Any, now: datetime, records: list[bytes], fresh: dict[str, None]) -> IntakeVerdict:
        record, verdict = judged(raw, self._contract, now)
        if verdict.verdict == ACCEPTED:
            if verdict.event_id in self._known or verdict.event_id in fresh:
                return IntakeVerdict(DUPLICATE, verdict.event_id)
            fresh[verdict.event_id] = None
        records.append(record)
        return verdict

    def _fail(self, batches: Sequence[_Batch], error: Exception) -> None:
        for batch in batches:
            if not batch.done.done():
                batch.done.set_exception(error)
                self._counted(NOT_TAKEN, len(batch.events))


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
