"""What to do at one look: a pure function of what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from remora.release.rollout.liveness import LiveReplicas
from remora.release.rollout.readout import Readout
from remora.settings import RolloutSettings


class Verdict(StrEnum):
    """What shall be done."""

    ADVANCE = "advance"
    WAIT = "wait"
    PAUSE = "pause"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Decision:
    """A verdict and its reasons, with the numbers."""

    verdict: Verdict
    reasons: tuple[str, ...]


def decide(readout: Readout, refused: Mapping[str, str], settings: RolloutSettings, *, paused: bool) -> Decision:
    """Roll back when harm is shown, advance when the step's time is over and enough was seen, else wait.

    Harm counts at every look, paused or not. A step that has seen too little for ``max_wait_factor`` times its duration
    pauses the rollout. ``refused`` are replicas that could not load the candidate, and why.
    """
    if refused:
        return Decision(Verdict.ROLL_BACK, _refusals(refused))
    if readout.harms:
        return Decision(Verdict.ROLL_BACK, readout.harms)
    if paused:
        return Decision(Verdict.WAIT, ("paused",))
    left = readout.duration - readout.seconds
    if left > 0:
        return Decision(Verdict.WAIT, (f"{left:.0f} s are left",))
    seen = f"the candidate answered {readout.requests:,} of at least {settings.min_requests:,} requests"
    if readout.requests >= settings.min_requests:
        return Decision(Verdict.ADVANCE, (f"no harm is shown in {readout.seconds:.0f} s", seen))
    if readout.seconds >= settings.max_wait_factor * readout.duration:
        return Decision(Verdict.PAUSE, (f"too little traffic: in {readout.seconds:.0f} s {seen}",))
    return Decision(Verdict.WAIT, (seen,))


def decide_to_begin(
    present: LiveReplicas, bundle: str, settings: RolloutSettings, *, seconds: float, paused: bool
) -> Decision:
    """May requests be sent to a bundle ``seconds`` after replicas were told to load it?

    Advance when every replica has it ready; roll back when one refuses it, or in time not all are ready.
    """
    if refused := present.refused(bundle):
        return Decision(Verdict.ROLL_BACK, _refusals(refused))
    if paused:
        return Decision(Verdict.WAIT, ("paused",))
    unready, alive = present.unready(bundle), len(present.alive)
    if alive and not unready:
        return Decision(Verdict.ADVANCE, (f"ready in {seconds:.0f} s on all {alive} replicas",))
    why = f"not ready: {', '.join(unready)}" if unready else "no replica reports; does the endpoint run?"
    if seconds > settings.load_timeout_seconds:
        return Decision(Verdict.ROLL_BACK, (f"after {seconds:.0f} s {why}",))
    return Decision(Verdict.WAIT, (why,))


def _refusals(refused: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"replica {replica} cannot load it: {why}" for replica, why in sorted(refused.items()))
