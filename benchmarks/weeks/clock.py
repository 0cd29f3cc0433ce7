"""The clock of a simulated world, which the parts of the server are given in place of the machine's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime, time, timedelta

from remora.pipeline import StageContext
from remora.serving.bundle_loader import BundleLoader


class SimulatedClock:
    """It stands at ``now`` until it is set; days count from the ``start`` of the world."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.now = start

    @classmethod
    def of(cls, start: datetime) -> SimulatedClock:
        """At the midnight (UTC) with which a day begins."""
        return cls(datetime.combine(start, time(), UTC))

    def __call__(self) -> datetime:
        """When it is."""
        return self.now

    def set(self, days: float) -> None:
        """To a time of the world."""
        self.now = self.at(days)

    def at(self, days: float) -> datetime:
        """A time of the world as an instant, to the microsecond."""
        return self._start + timedelta(microseconds=round(days * 86_400e6))


@dataclass(frozen=True, kw_only=True)
class ClockedContext(StageContext):
    """A context whose requests happen when ``clock`` says."""

    clock: Callable[[], datetime]

    def instant(self) -> datetime:
        """Now."""
        return self.clock()


@dataclass(frozen=True, kw_only=True)
class ClockedLoader(BundleLoader):
    """Loads bundles as a replica does; their requests happen when ``clock`` says."""

    clock: Callable[[], datetime]

    def context(self, bundle: str) -> StageContext:
        """As it is loaded, with the clock."""
        loaded = super().context(bundle)
        return ClockedContext(**{one.name: getattr(loaded, one.name) for one in fields(loaded)}, clock=self.clock)
