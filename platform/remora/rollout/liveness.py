"""Which replicas live: those whose beat continues from look to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remora.registry.live import LiveReport


@dataclass(frozen=True, kw_only=True)
class LiveReplicas:
    """Reports of replicas that are not gone; of some it is not known yet that they live."""

    alive: Mapping[str, LiveReport]
    unknown: Mapping[str, LiveReport]

    def unready(self, bundle: str) -> tuple[str, ...]:
        """Replicas, alive or not known to be gone, that do not have a bundle ready."""
        return tuple(sorted(name for name, r in (*self.alive.items(), *self.unknown.items()) if bundle not in r.ready))

    def refused(self, bundle: str) -> dict[str, str]:
        """Replicas that are alive and could not load it, and why."""
        return {name: report.refused[bundle] for name, report in self.alive.items() if bundle in report.refused}


@dataclass
class Liveness:
    """Counts looks rather than seconds: a controller that was stopped for an hour takes no replica for gone."""

    missed_heartbeats: int
    _beats: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def look(self, reports: Mapping[str, LiveReport]) -> LiveReplicas:
        """Sort the replicas by their beats; gone are those whose beat stood still for ``missed_heartbeats`` looks."""
        beats: dict[str, tuple[int, int, bool]] = {}
        for name, report in reports.items():
            beat, still, moved = self._beats.get(name, (report.beat, -1, False))
            beats[name] = (beat, still + 1, moved) if beat == report.beat else (report.beat, 0, True)
        self._beats = beats
        here = {name: reports[name] for name, (_, still, _) in beats.items() if still < self.missed_heartbeats}
        return LiveReplicas(
            alive={name: report for name, report in here.items() if beats[name][2]},
            unknown={name: report for name, report in here.items() if not beats[name][2]},
        )
