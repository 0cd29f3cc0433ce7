"""Carries a rollout out: look, decide, write down, act. Another controller continues wherever one died.

Every look activates what the document says before it decides again, and every change is written down before it is
activated. So a controller may crash between any two steps: the next one does again what may not have been done, and
doing it again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from remora.control.replica_status import ReplicaStatuses
from remora.control.traffic import PRODUCTION, Traffic
from remora.core.errors import NotReady, Refused, RemoraError, StorageError
from remora.registry.bundles import Bundles
from remora.registry.promotions import DamagedRecord, Promotion
from remora.release.rollout.commands import CommandQueue, processed
from remora.release.rollout.counters import CounterDelta
from remora.release.rollout.decision import Decision, decide, decide_to_begin
from remora.release.rollout.desired_traffic import desired_traffic
from remora.release.rollout.liveness import Liveness, LiveReplicas
from remora.release.rollout.plan import SHARED, Plan
from remora.release.rollout.readout import make_readout
from remora.release.rollout.rewards import RewardReader
from remora.release.rollout.sequential.ratios import UserSums
from remora.release.rollout.state import LOAD, PREFLIGHT, Rollout, Rollouts, Status
from remora.release.rollout.transitions import compared, enter_stage, next_state, start_rollback
from remora.settings import Settings

Preflight = Callable[[Settings, str], None]
Outcomes = Callable[[Settings, datetime], Mapping[str, UserSums]]


def opened(settings: Settings, bundle: str) -> None:
    """The least proof of a bundle: every file is as its manifest says."""
    Bundles(settings).open(bundle)


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


class Controller:
    """Of the home's current rollout; whoever runs one holds the lock (:data:`remora.release.rollout.state.CONTROLLER`).

    ``preflight`` loads and warms up a bundle in a process of its own, and raises a RemoraError when it does not come
    through. ``clock`` is UTC.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        preflight: Preflight = opened,
        clock: Callable[[], datetime] = utc_now,
        outcomes: Outcomes | None = None,
        bundles: Bundles | None = None,
    ) -> None:
        self.settings, self.preflight, self.clock = settings, preflight, clock
        self.outcomes = outcomes or RewardReader()
        self.bundles = bundles or Bundles(settings)
        self.presence = Liveness(settings.rollout.missed_heartbeats)

    @cached_property
    def rollouts(self) -> Rollouts:
        """Where the document is."""
        return Rollouts(self.bundles.home)

    def run(
        self, *, rest: Callable[[float], None], on_progress: Callable[[Rollout | str], None] = lambda _: None
    ) -> Rollout:
        """Look again and again until it has ended; a store that fails or is not ready is waited for."""
        while True:
            try:
                rollout = self.look()
                on_progress(rollout)
                if rollout.status.ended:
                    return rollout
            except (NotReady, StorageError) as error:
                on_progress(str(error))
            rest(self.settings.rollout.poll_seconds)

    def look(self) -> Rollout:
        """One look: at most one stage further, or all the way back."""
        rollout = self._listen(self.rollouts.current())
        if rollout.status in (Status.RUNNING, Status.PAUSED):
            rollout = self._carry_on(rollout)
        return self._leave(rollout) if rollout.status is Status.ROLLING_BACK else rollout

    def _listen(self, rollout: Rollout) -> Rollout:
        for key, command in CommandQueue(self.bundles.home, rollout.id).pending(rollout.processed).items():
            rollout = self.rollouts.write(processed(rollout, key, command, self.clock()))
        return rollout

    def _carry_on(self, rollout: Rollout) -> Rollout:
        reports = ReplicaStatuses(self.bundles.home).read()
        present = self.presence.poll(reports)
        sides = {"candidate": rollout.bundle, "production": rollout.production}
        counted = {name: CounterDelta.of(report, **sides) for name, report in reports.items()}
        rollout = rollout.model_copy(update={"counters": rollout.counters.seen(counted)})
        if rollout.stage == PREFLIGHT:
            return self._prove(rollout)
        rollout = self._activate(rollout)
        if rollout.status is Status.ROLLING_BACK:
            return rollout
        rollout, decision = self._decide(rollout, present)
        decided = next_state(rollout, decision, self.clock(), self.settings)
        if decided.is_full and not rollout.is_full:
            decided = decided.model_copy(update={"promotions": len(self.bundles.records())})
        return self.rollouts.write(decided)

    def _prove(self, rollout: Rollout) -> Rollout:
        """In a process of its own, before any replica hears of the bundle."""
        if rollout.status is Status.PAUSED:
            return rollout
        try:
            self.preflight(self.settings, rollout.bundle)
        except RemoraError as error:
            reasons = (f"preflight failed: {error}",)
            return self.rollouts.write(start_rollback(rollout, Status.ROLLED_BACK, reasons, self.clock()))
        return self.rollouts.write(enter_stage(rollout, LOAD, ("preflight passed",), self.clock(), self.settings))

    def _activate(self, rollout: Rollout) -> Rollout:
        held = rollout.status is Status.PAUSED and rollout.since is None
        try:
            traffic = self.bundles.traffic() if held else self._direct(rollout)
        except Refused as error:
            reasons = (f"it is refused: {error}",)
            return self.rollouts.write(start_rollback(rollout, Status.ROLLED_BACK, reasons, self.clock()))
        wanted = rollout.bundle if rollout.is_full and not held else rollout.production
        if traffic.production != wanted:
            reasons = (f"production became {traffic.production} by other hands",)
            return self.rollouts.write(start_rollback(rollout, Status.ABORTED, reasons, self.clock()))
        if rollout.since is None and not held:
            return self.rollouts.write(rollout.model_copy(update={"since": self.clock()}))
        return rollout

    def _direct(self, rollout: Rollout) -> Traffic:
        traffic = self.bundles.traffic()
        if rollout.is_full and rollout.since is None and traffic.production == rollout.production:
            later = self.bundles.records()[rollout.promotions :]
            if not any(may_roll_back(record, rollout.bundle) for record in later):
                self.bundles.promote(rollout.bundle, **self._record(rollout))
        return self.bundles.set_traffic(lambda now: desired_traffic(now, rollout))

    def _decide(self, rollout: Rollout, present: LiveReplicas) -> tuple[Rollout, Decision]:
        chosen, now = self.settings.rollout, self.clock()
        seconds, paused = rollout.seconds(now), rollout.status is Status.PAUSED
        step = rollout.step
        if step is None:
            return rollout, decide_to_begin(present, rollout.bundle, chosen, seconds=seconds, paused=paused)
        readout = make_readout(
            step,
            compared(rollout),
            self._outcomes(rollout) if step.kind in SHARED else {},
            chosen,
            plan=Plan.parse(rollout.plan),
            seconds=seconds,
        )
        decision = decide(readout, present.refused(rollout.bundle), chosen, paused=paused)
        return rollout.model_copy(update={"readout": readout}), decision

    def _outcomes(self, rollout: Rollout) -> dict[str, UserSums]:
        if rollout.since is None:
            return {}
        found = self.outcomes(self.settings, rollout.since)
        sides = {"candidate": rollout.bundle, "production": rollout.production}
        return {side: found[bundle] for side, bundle in sides.items() if bundle in found}

    def _leave(self, rollout: Rollout) -> Rollout:
        """Production alone again, in one change of the traffic, or two where the candidate was production."""
        assert rollout.ending is not None
        if rollout.is_full and self.bundles.traffic().production == rollout.bundle:
            self.bundles.rollback(to=rollout.production, **self._record(rollout))
        self.bundles.set_traffic(lambda now: desired_traffic(now, rollout))
        return self.rollouts.write(rollout.with_entry(self.clock(), rollout.ending, changes={"status": rollout.ending}))

    def _record(self, rollout: Rollout) -> dict[str, Any]:
        """Who moves the alias, why, and what was seen."""
        why, evidence = "; ".join(rollout.journal[-1].why), rollout.evidence()
        return {"by": f"{rollout.by}, rollout {rollout.id}", "why": why, "evidence": evidence}


def may_roll_back(record: Promotion | DamagedRecord, bundle: str) -> bool:
    """Does it take ``bundle`` out of production, or could it, where it cannot be read?"""
    if isinstance(record, DamagedRecord):
        return record.alias in (PRODUCTION, None)
    return record.alias == PRODUCTION and record.previous == bundle
