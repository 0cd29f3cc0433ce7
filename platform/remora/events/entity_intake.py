"""Takes items or users that are sent: each update on the disk before it is answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from remora.events.entity_update import EntityKind, EntityUpdate
from remora.events.group_commit import GroupCommit
from remora.events.log import EventLog

TAKEN, NOT_TAKEN = "taken", "not taken"

Columns = Mapping[str, Any]


class EntityWrite(NamedTuple):
    """An item or user with its columns as the contract accepts them; None: it is to be gone."""

    id: str
    columns: Columns | None


class EntityIntake(GroupCommit[EntityWrite, EntityUpdate]):
    """Updates of one kind. The later of two that this process takes has the later instant, whatever the clock does.

    ``clock`` says when it is: the time of the day, also over historical data, because all that take updates must agree
    on which is the later one. ``counted`` is called with how many were :data:`TAKEN` or :data:`NOT_TAKEN`.
    """

    def __init__(
        self,
        log: EventLog,
        kind: EntityKind,
        *,
        max_waiting: int = 20_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        counted: Callable[[str, int], None] = lambda result, count: None,
    ) -> None:
        self.kind: EntityKind = kind
        self.noun = kind
        self._clock, self._counted = clock, counted
        self._last = datetime.min.replace(tzinfo=UTC)
        super().__init__(log, max_waiting=max_waiting)

    def put(self, id: str, columns: Columns) -> Future[EntityUpdate]:
        """It has these columns and no others from now on. As :meth:`take`."""
        return self.take(EntityWrite(id, columns))

    def delete(self, id: str) -> Future[EntityUpdate]:
        """It is gone from now on, known or not. As :meth:`take`."""
        return self.take(EntityWrite(id, None))

    def _size(self, request: EntityWrite) -> int:
        return 1

    def _prepare(self, requests: Sequence[EntityWrite]) -> tuple[list[bytes], list[EntityUpdate]]:
        updates = list[EntityUpdate]()
        for one in requests:
            self._last = max(self._clock(), self._last + timedelta(microseconds=1))
            updates.append(EntityUpdate(kind=self.kind, id=one.id, instant=self._last, columns=one.columns))
        return [update.encode() for update in updates], updates

    def _written(self, answers: Sequence[EntityUpdate]) -> None:
        self._counted(TAKEN, len(answers))

    def _not_taken(self, count: int) -> None:
        self._counted(NOT_TAKEN, count)
