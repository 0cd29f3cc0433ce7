"""What replicas counted since a step began, of those that are gone as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from remora.control.replica_status import ReplicaStatus, RequestStats, ShadowStats


class CounterDelta(BaseModel):
    """Of the two bundles that a rollout compares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: RequestStats = RequestStats()
    production: RequestStats = RequestStats()
    shadowed: ShadowStats = ShadowStats()

    @classmethod
    def of(cls, report: ReplicaStatus, *, candidate: str, production: str) -> Self:
        """What one replica counted since it started."""
        return cls(
            candidate=report.answers.get(candidate, RequestStats()),
            production=report.answers.get(production, RequestStats()),
            shadowed=report.shadowed.get(candidate, ShadowStats()),
        )

    def __add__(self, other: Self) -> Self:
        """Of both."""
        return type(self)(
            candidate=self.candidate + other.candidate,
            production=self.production + other.production,
            shadowed=self.shadowed + other.shadowed,
        )

    def __sub__(self, other: Self) -> Self:
        """What came between."""
        return type(self)(
            candidate=self.candidate - other.candidate,
            production=self.production - other.production,
            shadowed=self.shadowed - other.shadowed,
        )

    def is_less_than(self, other: Self) -> bool:
        """Was the counting started over? counts of one replica never fall."""
        return any(mine < theirs for mine, theirs in zip(self._sizes(), other._sizes(), strict=True))

    def _sizes(self) -> tuple[int, int, int]:
        return self.candidate.requests, self.production.requests, self.shadowed.compared


class StepCounters(BaseModel):
    """Counts by replica when the step began and as last seen; a replica that is gone keeps what it had counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: dict[str, CounterDelta] = {}
    last: dict[str, CounterDelta] = {}
    cut_off: CounterDelta = CounterDelta()
    """What replicas had counted in this step when they started over under the same name."""

    def begun(self) -> Self:
        """A new step: what was counted until now is before it."""
        return type(self)(before=self.last, last=self.last)

    def seen(self, counted: Mapping[str, CounterDelta]) -> Self:
        """With what the replicas say now; those that say nothing stay as they were."""
        before, cut_off = dict(self.before), self.cut_off
        for replica, sums in counted.items():
            if replica in self.last and sums.is_less_than(self.last[replica]):
                cut_off = cut_off + (self.last[replica] - before.get(replica, CounterDelta()))
                before[replica] = CounterDelta()
        return type(self)(before=before, last={**self.last, **counted}, cut_off=cut_off)

    @property
    def step(self) -> CounterDelta:
        """Counted since the step began."""
        return _sum(self.last.values()) - _sum(self.before.values()) + self.cut_off

    @property
    def ever(self) -> CounterDelta:
        """Counted since the replicas started, as far as they were seen."""
        return _sum(self.last.values())


def _sum(of: Iterable[CounterDelta]) -> CounterDelta:
    total = CounterDelta()
    for sums in of:
        total = total + sums
    return total
