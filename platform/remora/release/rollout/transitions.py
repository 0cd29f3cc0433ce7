"""How a rollout goes from one stage to the next, as values: nothing is done here."""

from __future__ import annotations

from datetime import datetime

from remora.control.replica_status import RequestStats
from remora.release.rollout.decision import Decision, Verdict
from remora.release.rollout.guardrails import StepComparison
from remora.release.rollout.latency import slow_bucket
from remora.release.rollout.state import Rollout, Status
from remora.settings import Settings


def next_state(rollout: Rollout, decision: Decision, now: datetime, settings: Settings) -> Rollout:
    """The rollout after a decision; waiting leaves it as it is."""
    match decision.verdict:
        case Verdict.ROLL_BACK:
            return start_rollback(rollout, Status.ROLLED_BACK, decision.reasons, now)
        case Verdict.PAUSE:
            paused = {"status": Status.PAUSED, "paused_at": now, "low_traffic": True}
            return rollout.with_entry(now, "paused", decision.reasons, changes=paused)
        case Verdict.ADVANCE if rollout.is_full:
            return rollout.with_entry(now, "done", decision.reasons, changes={"status": Status.DONE})
        case Verdict.ADVANCE:
            return enter_stage(rollout, rollout.stage + 1, decision.reasons, now, settings)
    return rollout


def start_rollback(rollout: Rollout, ending: Status, reasons: tuple[str, ...], now: datetime) -> Rollout:
    """On its way back: from here on it gets no request any more."""
    what = {Status.ROLLED_BACK: "harm, or not fit to serve: rolling back"}.get(ending, "given up")
    changes = {"status": Status.ROLLING_BACK, "ending": ending, "paused_at": None}
    return rollout.with_entry(now, what, reasons, changes=changes)


def enter_stage(rollout: Rollout, stage: int, reasons: tuple[str, ...], now: datetime, settings: Settings) -> Rollout:
    """At a stage that is not yet active; counting starts over."""
    serving, ever = settings.serving, rollout.counters.ever.production
    changes = {
        "stage": stage,
        "since": None,
        "counters": rollout.counters.begun(),
        "slow_after": slow_bucket(ever.milliseconds, timeout_ms=serving.timeout_ms),
        "baseline": _baseline(rollout, settings),
        "readout": None,
    }
    return rollout.with_entry(now, "advanced", reasons, changes=changes)


def _baseline(rollout: Rollout, settings: Settings) -> RequestStats:
    """Production's answers of the step that ends; where these are few, of all time."""
    step = rollout.counters.step.production
    return step if step.requests >= settings.rollout.min_requests else rollout.counters.ever.production


def compared(rollout: Rollout) -> StepComparison:
    """Both sides of the step that it is at."""
    sums = rollout.counters.step
    return StepComparison(
        candidate=sums.candidate,
        production=rollout.baseline if rollout.is_full else sums.production,
        shadowed=sums.shadowed,
        slow_after=rollout.slow_after,
    )
