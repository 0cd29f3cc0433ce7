"""Requests that are durable before they are answered: what arrives while the log writes is written together next."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from remora.core.errors import NotReady
from remora.events.log import EventLog

IDLE_SECONDS = 1.0

Request = TypeVar("Request")
Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


class NotTaken(NotReady):
    """What was sent and not taken: nothing of it is kept, and it may be sent again."""


@dataclass
class _Waiting(Generic[Request, Answer]):
    request: Request
    size: int
    done: Future[Answer] = field(default_factory=Future)


class GroupCommit(ABC, Generic[Request, Answer]):
    """Takes requests for one log, with a thread of its own that makes records of them, writes and answers, so that
    callers wait for the disk and for nothing else. At most ``max_waiting`` of what they have wait; more is refused.

    A class of requests says what of them is counted, which records they are and what is answered.
    """

    noun = "records"
    """What requests have, for people."""

    def __init__(self, log: EventLog, *, max_waiting: int) -> None:
        self._log, self._max_waiting = log, max_waiting
        self._waiting: deque[_Waiting[Request, Answer]] = deque()
        self._count, self._ended = 0, False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=self.noun, daemon=True)
        self._thread.start()

    def take(self, request: Request) -> Future[Answer]:
        """Its answer, once all that it has is on the disk.

        The future has NotTaken where the log fails. NotTaken at once when too much waits.
        """
        one = _Waiting[Request, Answer](request, self._size(request))
        with self._changed:
            if self._ended:
                raise NotTaken("The server is about to stop. Nothing of this request was kept: send it again.")
            if self._count and self._count + one.size > self._max_waiting:
                self._not_taken(one.size)
                raise NotTaken(f"{self._count:,} {self.noun} wait to be written. Nothing of this request was kept.")
            self._count += one.size
            self._waiting.append(one)
            self._changed.notify()
        return one.done

    def close(self) -> None:
        """Write what waits, and seal the log."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join()

    @abstractmethod
    def _size(self, request: Request) -> int:
        """How much a request has."""

    @abstractmethod
    def _prepare(self, requests: Sequence[Request]) -> tuple[list[bytes], list[Answer]]:
        """The records of requests together, and the answer of each once they are durable."""

    @abstractmethod
    def _written(self, answers: Sequence[Answer]) -> None:
        """Called when they are, and the answers are given."""

    @abstractmethod
    def _not_taken(self, count: int) -> None:
        """Called with how much was not."""

    def _run(self) -> None:
        while group := self._next():
            try:
                self._write(group)
            except OSError as error:
                logger.exception("%s cannot be written", self.noun)
                why = f"{self.noun.capitalize()} cannot be written now ({error.strerror})."
                self._fail(group, NotTaken(f"{why} Nothing of this request was kept."))
            except Exception as error:  # whatever it is, its callers must not wait, nor those after them
                logger.exception("%s cannot be taken", self.noun)
                self._fail(group, error)
        self._tidy(self._log.seal)

    def _tidy(self, seal: Callable[[], None]) -> None:
        """What is on the disk stays there, sealed or not; and this thread must not end with a failing disk."""
        try:
            seal()
        except OSError:
            logger.exception("the log of %s cannot be sealed now", self.noun)

    def _next(self) -> list[_Waiting[Request, Answer]]:
        """All that waits and whose callers are still there; nothing at the end."""
        while True:
            with self._changed:
                while not self._waiting and not self._ended:
                    if not self._changed.wait(timeout=IDLE_SECONDS):
                        self._tidy(self._log.seal_if_old)
                if not self._waiting:
                    return []
                group = [*self._waiting]
                self._waiting.clear()
                self._count = 0
            # From here on a caller that goes away no longer cancels: what it sent is taken.
            if wanted := [one for one in group if one.done.set_running_or_notify_cancel()]:
                return wanted

    def _write(self, group: Sequence[_Waiting[Request, Answer]]) -> None:
        records, answers = self._prepare([one.request for one in group])
        if records:
            self._log.append(records)
        for one, answer in zip(group, answers, strict=True):
            one.done.set_result(answer)
        self._written(answers)

    def _fail(self, group: Sequence[_Waiting[Request, Answer]], error: Exception) -> None:
        for one in group:
            if not one.done.done():
                one.done.set_exception(error)
                self._not_taken(one.size)
