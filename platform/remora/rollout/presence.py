"""Which replicas live: those whose beat goes on from look to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remora.registry.live import LiveReport


@dataclass(frozen=True, kw_only=True)
class Present:
    """Reports of replicas that are not gone; of some it is not known yet that they live."""

    alive: Mapping[str, LiveReport]
    unsure: Mapping[str, LiveReport]

    def unready(self, bundle: str) -> tuple[str, ...]:
        """Replicas, alive or not known to be gone, that do not have a bundle ready."""
        return tuple(sorted(name for name, r in (*self.alive.items(), *self.unsure.items()) if bundle not in r.ready))

    def refused(self, bundle: str) -> dict[str, str]:
        """Replicas that are alive and could not load it, and why."""
        return {name: report.refused[bundle] for name, report in self.alive.items() if bundle in report.refused}


@dataclass
class Presence:
    """Counts looks rather than seconds: a controller that was stopped for an hour takes nobody for gone."""

    still_looks: int
    _beats: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def look(self, reports: Mapping[str, LiveReport]) -> Present:
        """Sort the replicas by their beats; gone are those whose beat stood still for ``still_looks`` looks."""
        beats: dict[str, tuple[int, int, bool]] = {}
        for name, report in reports.items():
            beat, still, moved = self._beats.get(name, (report.beat, -1, False))
            beats[name] = (beat, still + 1, moved) if beat == report.beat else (report.beat, 0, True)
        self._beats = beats
        here = {name: reports[name] for name, (_, still, _) in beats.items() if still < self.still_looks}
        return Present(
            alive={name: report for name, report in here.items() if beats[name][2]},
            unsure={name: report for name, report in here.items() if not beats[name][2]},
        )
