"""The plan of a rollout as text: ``shadow:10m,canary:5%:30m,ramp:25%:1h,full``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise

from remora.core.errors import BadRequest

ALLOWED = (
    "shadow:DURATION (at most once, first), canary:SHARE%:DURATION, ramp:SHARE%:DURATION (after canaries) and, once "
    "and last, full; a DURATION is a whole number and s, m, h or d, a SHARE is above 0 and below 100 and grows from "
    "step to step; for example shadow:10m,canary:5%:30m,ramp:25%:1h,full"
)
UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
LONGEST_SECONDS = 90 * 86_400


class StepKind(StrEnum):
    """What a step does with the candidate."""

    SHADOW = "shadow"
    CANARY = "canary"
    RAMP = "ramp"
    FULL = "full"


ORDER = tuple(StepKind)
SHARED = (StepKind.CANARY, StepKind.RAMP)


class PlanRefused(BadRequest):
    """A plan that does not parse: what is wrong, at which position, and what is allowed."""

    def __init__(self, text: str, position: int, why: str) -> None:
        super().__init__(text, position, why)
        self.text, self.position, self.why = text, position, why

    def __str__(self) -> str:
        """Point at the position, counted from 1."""
        return f"Plan '{self.text}', character {self.position + 1}: {self.why}. Allowed: {ALLOWED}."


@dataclass(frozen=True, kw_only=True)
class RolloutStep:
    """One step; ``percent`` of the users for canary and ramp, ``seconds`` for all but full."""

    kind: StepKind
    percent: Decimal | None = None
    seconds: int = 0

    @property
    def share(self) -> float:
        """Of the users who get the candidate: 0 for a shadow, 1 for full."""
        return float(self.percent / 100) if self.percent is not None else float(self.kind is StepKind.FULL)

    def __str__(self) -> str:
        """As it is parsed."""
        share = () if self.percent is None else (f"{self.percent.normalize():f}%",)
        return ":".join((self.kind, *share, *(() if self.kind is StepKind.FULL else (_duration(self.seconds),))))


@dataclass(frozen=True)
class Plan:
    """The steps in order; the last is full."""

    steps: tuple[RolloutStep, ...]

    @classmethod
    def parse(cls, text: str) -> Plan:
        """PlanRefused with the place of the first mistake."""
        steps, positions, position = [], [], 0
        for part in text.split(","):
            steps.append(_step(text, part, position))
            positions.append(position)
            position += len(part) + 1
        for (before, after), where in zip(pairwise(steps), positions[1:], strict=True):
            _check_order(text, where, before, after)
        if steps[-1].kind is not StepKind.FULL:
            raise PlanRefused(text, len(text), "the plan does not end with full")
        return cls(tuple(steps))

    def __str__(self) -> str:
        """As it is parsed."""
        return ",".join(map(str, self.steps))


def _step(text: str, part: str, position: int) -> RolloutStep:
    name, *rest = part.strip().split(":")
    position += len(part) - len(part.lstrip())
    if name not in ORDER:
        raise PlanRefused(text, position, f"'{name}' is no step" if name else "a step is missing")
    kind = StepKind(name)
    wanted = {StepKind.SHADOW: ("duration",), StepKind.FULL: ()}.get(kind, ("share", "duration"))
    after = position + len(name)
    if len(rest) != len(wanted):
        takes = " and a ".join(wanted) if wanted else "nothing"
        raise PlanRefused(text, after, f"{kind} takes {'a ' if wanted else ''}{takes}, not {len(rest)} values")
    found: dict[str, str] = dict(zip(wanted, rest, strict=True))
    percent = _percent(text, after + 1, found["share"]) if "share" in found else None
    durations_place = after + 1 + (len(found["share"]) + 1 if "share" in found else 0)
    seconds = _seconds(text, durations_place, found["duration"]) if "duration" in found else 0
    return RolloutStep(kind=kind, percent=percent, seconds=seconds)


def _percent(text: str, position: int, found: str) -> Decimal:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,4})?%", found, re.ASCII):
        raise PlanRefused(text, position, f"'{found}' is no share, like 5% or 0.5%")
    percent = Decimal(found[:-1])
    if not percent:
        raise PlanRefused(text, position, "a share of 0% is no user")
    return percent


def _seconds(text: str, position: int, found: str) -> int:
    if not re.fullmatch(r"[0-9]{1,7}[smhd]", found, re.ASCII):
        raise PlanRefused(text, position, f"'{found}' is no duration, like 90s, 30m, 1h or 2d")
    seconds = int(found[:-1]) * UNITS[found[-1]]
    if not 0 < seconds <= LONGEST_SECONDS:
        raise PlanRefused(
            text, position, f"a duration of {found} is not above 0 and at most {_duration(LONGEST_SECONDS)}"
        )
    return seconds


def _check_order(text: str, position: int, before: RolloutStep, after: RolloutStep) -> None:
    if before.kind is StepKind.FULL:
        raise PlanRefused(text, position, f"{after} comes after full, which is the last step")
    if ORDER.index(after.kind) < ORDER.index(before.kind) or after.kind is before.kind is StepKind.SHADOW:
        raise PlanRefused(text, position, f"{after} cannot come after {before}")
    if before.percent is not None and after.percent is not None and after.percent <= before.percent:
        raise PlanRefused(text, position, f"the share of {after} is not larger than that of {before}")


def _duration(seconds: int) -> str:
    unit, size = next((unit, size) for unit, size in UNITS.items() if seconds % size == 0)
    return f"{seconds // size}{unit}"
