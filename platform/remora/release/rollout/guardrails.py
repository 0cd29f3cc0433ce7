"""What a candidate must not be worse at: a row each.

Each row is tested at every look by two bounds that hold at all times (sequential/rates.py). The settings' alpha is
split evenly over the rows of all steps of a plan, and each row's half and half over its two sides, so by the union
bound a candidate that is within every margin is rolled back with a chance of at most alpha in a whole rollout.

Candidate and production are compared over the same time at a constant share, so what the hour brings, an outage of the
online store say, meets both. What is *slow* is fixed when a step begins, from what production answered until then: a
threshold taken from the very answers it is applied to would bias the test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from remora.control.replica_status import RequestStats, ShadowStats
from remora.release.rollout.latency import slower
from remora.release.rollout.plan import SHARED, Plan, StepKind
from remora.settings import RolloutSettings

REWARDS = "rewards"
SERVING = (StepKind.CANARY, StepKind.RAMP, StepKind.FULL)
SHADOWING = (StepKind.SHADOW,)


@dataclass(frozen=True)
class Count:
    """``hits`` of ``n``."""

    hits: float
    n: int


@dataclass(frozen=True, kw_only=True)
class StepComparison:
    """Both sides of a step. ``production`` is of the same time, or, for full, of the time before."""

    candidate: RequestStats
    production: RequestStats
    shadowed: ShadowStats
    slow_after: int
    """The last bucket of latency that is not slow."""


@dataclass(frozen=True, kw_only=True)
class Guardrail:
    """A rate that may exceed production's by no more than the margin; without ``production``, exceed the margin."""

    name: str
    about: str
    kinds: tuple[StepKind, ...]
    candidate: Callable[[StepComparison], Count]
    production: Callable[[StepComparison], Count] | None
    margin: Callable[[RolloutSettings], float]


def _answers(field: str, of: str) -> Callable[[StepComparison], Count]:
    def counted(compared: StepComparison) -> Count:
        answers: RequestStats = getattr(compared, of)
        return Count(getattr(answers, field), answers.requests)

    return counted


def _shadowed(field: str) -> Callable[[StepComparison], Count]:
    return lambda compared: Count(getattr(compared.shadowed.answers, field), compared.shadowed.compared)


def _slow(milliseconds: Sequence[int], after: int) -> Count:
    return Count(slower(milliseconds, after), sum(milliseconds))


def _margin(field: str) -> Callable[[RolloutSettings], float]:
    def margin(settings: RolloutSettings) -> float:
        value: float = getattr(settings.margins, field)
        return value

    return margin


_RATES = {
    "failed": "answers that no pipeline made",
    "deadline_exceeded": "answers after the request's time",
    "degraded": "answers for which a stage was skipped",
    "underfilled": "slates with too few items, or none",
    "unscored": "slates with an item without a score",
}

GUARDRAILS: tuple[Guardrail, ...] = (
    *(
        Guardrail(
            name=name,
            about=about,
            kinds=SERVING,
            candidate=_answers(name, "candidate"),
            production=_answers(name, "production"),
            margin=_margin(name),
        )
        for name, about in _RATES.items()
    ),
    Guardrail(
        name="latency",
        about="answers slower than what was production's p99",
        kinds=SERVING,
        candidate=lambda c: Count(slower(c.candidate.milliseconds, c.slow_after), c.candidate.requests),
        production=lambda c: Count(slower(c.production.milliseconds, c.slow_after), c.production.requests),
        margin=_margin("latency"),
    ),
    *(
        Guardrail(
            name=name,
            about=about,
            kinds=SHADOWING,
            candidate=_shadowed(name),
            production=_answers(name, "production"),
            margin=_margin(name),
        )
        for name, about in _RATES.items()
        if name != "degraded"  # a shadow is asked aside, when there is time; what is skipped then says nothing
    ),
    Guardrail(
        name="latency",
        about="answers slower than what was production's p99",
        kinds=SHADOWING,
        candidate=lambda c: _slow(c.shadowed.answers.milliseconds, c.slow_after),
        production=lambda c: _slow(c.shadowed.shown.milliseconds, c.slow_after),
        margin=_margin("latency"),
    ),
    Guardrail(
        name="different",
        about="items of a slate that production's does not have",
        kinds=SHADOWING,
        # The bounds hold for means of numbers in [0, 1] as they do for rates. A sum of shares may be off by rounding.
        candidate=lambda c: Count(max(0.0, c.shadowed.compared - c.shadowed.overlap), c.shadowed.compared),
        production=None,
        margin=lambda settings: 1 - settings.min_overlap,
    ),
)


def rows_of(kind: StepKind) -> tuple[Guardrail, ...]:
    """The guardrails of a step."""
    return tuple(row for row in GUARDRAILS if kind in row.kinds)


def alpha_of_each(plan: Plan, alpha: float) -> float:
    """The chance of a false alarm that each test of a plan may have; rewards are a test more where users are shared."""
    tests = sum(len(rows_of(step.kind)) + (step.kind in SHARED) for step in plan.steps)
    return alpha / tests
