"""What a join did, counted while it ran: rows, nulls, staleness, and what a join without time would have leaked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from remora.features.point_in_time.timeline import NOWHERE, Match
from remora.features.point_in_time.times import PER_SECOND, Unit


class ViewReport(BaseModel):
    """One view. ``rows`` = ``matched`` + ``unmatched`` (no row by the instant) + ``expired`` (older than ttl).

    ``leaks``: entity rows whose key has a later row, which a join without time would have taken. ``age_seconds``: from
    the answer's event time to the instant, over the matched rows. ``fingerprint``: SHA-256 of the source's footers.
    """

    model_config = ConfigDict(frozen=True)

    strategy: str
    fingerprint: str
    source_rows: int
    rows: int
    matched: int
    unmatched: int
    expired: int
    leaks: int
    mean_age_seconds: float | None
    max_age_seconds: float | None


class JoinReport(BaseModel):
    """One build. Times are ISO 8601 in UTC; ``future`` counts rows asked for an instant after the build began."""

    model_config = ConfigDict(frozen=True)

    created_at: str
    seconds: float
    rows_in: int
    rows_out: int
    earliest: str | None
    latest: str | None
    future: int
    fingerprint: str
    known_time: str
    views: dict[str, ViewReport]


Note = Callable[[str, int, dict[str, float]], None]
"""Takes what one block of a view counted; see :meth:`Counts.add`."""


class Counts:
    """Sums over blocks; a block that a retried task counts again counts once."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, int], dict[str, float]] = {}

    def add(self, view: str, block: int, counted: dict[str, float]) -> None:
        """Note what one block of a view counted."""
        self._blocks[view, block] = counted

    def of(self, view: str) -> dict[str, float]:
        """What all blocks of a view counted, together."""
        blocks = [counted for (name, _), counted in self._blocks.items() if name == view]
        total = {name: float(sum(counted[name] for counted in blocks)) for name in NAMES}
        return total | {"max_age": max((counted["max_age"] for counted in blocks), default=0.0)}


NAMES = ("rows", "matched", "expired", "leaks", "age", "future")


def counted(match: Match, unit: Unit, future: int) -> dict[str, float]:
    """Counts of one block."""
    matched = match.row != NOWHERE
    age = match.age[matched] / PER_SECOND[unit]
    return {
        "rows": len(match.row),
        "matched": int(matched.sum()),
        "expired": int(match.expired.sum()),
        "leaks": int(match.leak.sum()),
        "age": float(age.sum()),
        "max_age": float(np.max(age, initial=0.0)),
        "future": future,
    }


def view_report(total: dict[str, float], about: dict[str, Any]) -> ViewReport:
    """One view's counts as they are kept."""
    rows, matched, expired = (int(total[name]) for name in ("rows", "matched", "expired"))
    return ViewReport(
        **about,
        rows=rows,
        matched=matched,
        expired=expired,
        unmatched=rows - matched - expired,
        leaks=int(total["leaks"]),
        mean_age_seconds=total["age"] / matched if matched else None,
        max_age_seconds=total["max_age"] if matched else None,
    )


class CountsActor(Counts):
    """Counts as an actor."""

    def counts(self) -> Counts:
        """All of them."""
        counts = Counts()
        counts._blocks = self._blocks
        return counts


def counts_actor() -> Any:
    """A new actor of :class:`CountsActor`; it takes no CPU and ends when no process holds it."""
    import ray

    return ray.remote(num_cpus=0)(CountsActor).remote()


def noting(counts_actor: Any | None) -> Note:
    """Notes for the actor; each has arrived when the call returns, so a finished join has finished counts.

    Without an actor nothing is counted.
    """
    import ray

    if counts_actor is None:
        return lambda view, block, numbers: None
    return lambda view, block, numbers: ray.get(counts_actor.add.remote(view, block, numbers))
