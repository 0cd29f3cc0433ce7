"""Which replicas live: those whose heartbeat continues from poll to poll."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remora.control.replica_status import ReplicaStatus


@dataclass(frozen=True, kw_only=True)
class LiveReplicas:
    """Reports of replicas that are not gone; of some it is not known yet that they live."""

    alive: Mapping[str, ReplicaStatus]
    unknown: Mapping[str, ReplicaStatus]

    def unready(self, bundle: str) -> tuple[str, ...]:
        """Replicas, alive or not known to be gone, that do not have a bundle ready."""
        return tuple(sorted(name for name, r in (*self.alive.items(), *self.unknown.items()) if bundle not in r.ready))

    def refused(self, bundle: str) -> dict[str, str]:
        """Replicas that are alive and could not load it, and why."""
        return {name: report.refused[bundle] for name, report in self.alive.items() if bundle in report.refused}


@dataclass
class Liveness:
    """Counts polls rather than seconds: a controller that was stopped for an hour takes no replica for gone."""

    missed_heartbeats: int
    _heartbeats: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def poll(self, reports: Mapping[str, ReplicaStatus]) -> LiveReplicas:
        """Sort the replicas by their heartbeats; those that stood still for ``missed_heartbeats`` polls are gone."""
        heartbeats: dict[str, tuple[int, int, bool]] = {}
        for name, report in reports.items():
            heartbeat, still, moved = self._heartbeats.get(name, (report.heartbeat, -1, False))
            heartbeats[name] = (
                (heartbeat, still + 1, moved) if heartbeat == report.heartbeat else (report.heartbeat, 0, True)
            )
        self._heartbeats = heartbeats
        here = {name: reports[name] for name, (_, still, _) in heartbeats.items() if still < self.missed_heartbeats}
        return LiveReplicas(
            alive={name: report for name, report in here.items() if heartbeats[name][2]},
            unknown={name: report for name, report in here.items() if not heartbeats[name][2]},
        )
