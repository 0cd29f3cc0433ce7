"""The end of a week: the log becomes features and a bundle, which gates let through and a canary brings to users."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.command import Note
from benchmarks.weeks.clock import SimulatedClock
from benchmarks.weeks.replica import SimulatedReplica

from remora.core.errors import GatesFailed
from remora.core.parquet import write_parquet
from remora.events.collect import collect
from remora.events.tables import SLATES
from remora.registry.bundles import Bundles
from remora.release.rollout.controller import Controller
from remora.release.rollout.plan import Plan
from remora.release.rollout.preflight import preflight
from remora.release.rollout.start import controller_lock, start_rollout
from remora.release.rollout.state import Rollouts
from remora.settings import Settings
from remora.simulation.tables import item_rows
from remora.simulation.world import World
from remora.workflow import path

BY, WHY = "benchmarks.weeks", "the end of a simulated week"
PLAN = "canary:50%:1d,full"
CANDIDATE = "candidate"
LOOKS = 20
"""Of a controller, in which a rollout must have come to what waits for the next day."""


@dataclass
class Seconds:
    """Wall time by what was done."""

    of: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def counted(self, what: str) -> Iterator[None]:
        """Add the time of the block."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.of[what] = self.of.get(what, 0.0) + time.monotonic() - began


def trained(settings: Settings, seconds: Seconds, note: Note, *, first: bool = False) -> dict[str, Any]:
    """The steps of `remora run`, or of `remora run --since last`, which leaves a candidate; gates may refuse it."""
    refused: tuple[str, ...] = ()
    try:
        for done in path.run(settings, since_last=not first):
            seconds.of[done.step.name] = seconds.of.get(done.step.name, 0.0) + done.seconds
            note(f"  {done.step.name}: {done.seconds:.1f} s{' (unchanged)' if done.unchanged else ''}")
    except GatesFailed as error:
        refused = error.failures
        note(f"  the gates refuse it: {'; '.join(refused)}")
    bundles = Bundles(settings)
    return {"bundle": bundles.resolve(CANDIDATE if not first else "production"), "refused_by_gates": list(refused)}


def bring_catalogue(folder: Path, world: World, days: int) -> None:
    """The items table as its owner has it by then: with what arrived, and what perished."""
    write_parquet(item_rows(world, days).to_arrow(), str(folder / "items.parquet"))


def collected(settings: Settings, replica: SimulatedReplica, before: int) -> int:
    """Bring the log into the home's files, all slates that were served with it; how many these are in all."""
    served, found, deadline = replica.flushed(), before, time.monotonic() + 60
    while True:
        found += collect(settings).rows.get(SLATES, 0)
        if found >= served or time.monotonic() > deadline:
            return found
        time.sleep(0.05)  # the log of slates is written beside the requests


class SimulatedRollout:
    """A rollout that is looked at when the simulated clock says so; of a controller that lives as long as it."""

    def __init__(self, settings: Settings, replica: SimulatedReplica, clock: SimulatedClock) -> None:
        self._settings, self._replica = settings, replica
        self._controller = Controller(settings, preflight=preflight, clock=clock)
        self._clock = clock

    def start(self, bundle: str) -> None:
        """Begin, and go as far as the canary gets its first user."""
        with controller_lock(self._settings):
            bundles = Bundles(self._settings)
            start_rollout(bundles, bundle=bundle, plan=Plan.parse(PLAN), by=BY, why=WHY, now=self._clock())
        self.look()

    def look(self) -> None:
        """Look until nothing changes that does not need time."""
        with controller_lock(self._settings):
            before = None
            for _ in range(LOOKS):
                self._replica.report()
                now = self._controller.look()
                self._replica.bundles.refresh()
                standing = (now.status, now.stage, now.since)
                if now.status.ended or (standing == before and now.since is not None):
                    return
                before = standing

    def told(self) -> dict[str, Any]:
        """How it stands, for the report."""
        found = Rollouts(self._controller.bundles.home).current()
        journal = [
            {"at": one.at.isoformat(), "stage": one.stage, "what": one.what, "why": list(one.why)}
            for one in found.journal
        ]
        return {"id": found.id, "bundle": found.bundle, "status": str(found.status), "journal": journal}
