"""What is known at one look: both sides of every guardrail with bounds, and what is only reported."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict

from remora.control.replica_status import RequestStats, ShadowStats
from remora.release.rollout.guardrails import REWARDS, Count, Guardrail, StepComparison, alpha_of_each, rows_of
from remora.release.rollout.latency import quantile_ms
from remora.release.rollout.plan import SHARED, Plan, RolloutStep, StepKind
from remora.release.rollout.sequential.rates import rate_bounds
from remora.release.rollout.sequential.ratios import UserSums, difference_bounds
from remora.settings import RolloutSettings


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Rate(_Value):
    """``hits`` of ``n``, and bounds that hold at all looks."""

    hits: float
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, count: Count, *, alpha: float) -> Self:
        """With its bounds."""
        bounds = rate_bounds(count.hits, count.n, alpha=alpha)
        return cls(hits=count.hits, n=count.n, low=bounds.low, high=bounds.high)

    def __str__(self) -> str:
        """For people."""
        share = f"{self.hits / self.n:.2%}" if self.n else "–"
        return f"{share} of {self.n:,} (at least {self.low:.2%}, at most {self.high:.2%})"


class GuardrailReading(_Value):
    """One guardrail at one look."""

    name: str
    about: str
    candidate: Rate
    production: Rate | None
    margin: float

    @property
    def excess(self) -> float:
        """By how much the candidate's rate is above production's at least; above the margin it is harm."""
        return self.candidate.low - (self.production.high if self.production else 0.0)

    @property
    def harm(self) -> bool:
        """Is it shown?"""
        return self.excess > self.margin

    def __str__(self) -> str:
        """With all numbers."""
        against = f"production {self.production}, " if self.production else ""
        return f"{self.name} ({self.about}): candidate {self.candidate}, {against}margin {self.margin:.2%}"


class Rewards(_Value):
    """Rewards per exposure of both sides, and bounds of what is lost, relative to production."""

    candidate: float
    production: float
    candidate_users: int
    production_users: int
    loss_low: float
    loss_high: float
    margin: float

    @property
    def harm(self) -> bool:
        """Is it shown?"""
        return self.loss_low > self.margin

    def __str__(self) -> str:
        """With all numbers."""
        return (
            f"{REWARDS}: candidate {self.candidate:.4g} an exposure ({self.candidate_users:,} users), production "
            f"{self.production:.4g} ({self.production_users:,} users), loss at least {self.loss_low:.2%}, margin "
            f"{self.margin:.2%}"
        )


class Drift(_Value):
    """A shadow's scores against production's: difference of means in production's deviations, ratio of deviations."""

    items: int
    mean: float
    spread: float
    most: float

    @property
    def harm(self) -> bool:
        """Too far to be a model of the same thing? This is a bound, no test."""
        return abs(self.mean) > self.most

    def __str__(self) -> str:
        """With all numbers."""
        return (
            f"drift of scores: {self.mean:+.2f} deviations, at most {self.most:g} either way, of {self.items:,} items"
        )


class Readout(_Value):
    """One look at one step. ``requests`` are those that the candidate answered since the step began."""

    step: str
    seconds: float
    duration: float
    requests: int
    findings: tuple[GuardrailReading, ...] = ()
    rewards: Rewards | None = None
    drift: Drift | None = None
    overlap: float | None = None
    skipped: int = 0
    p99_ms: dict[str, float | None] = {}

    @property
    def harms(self) -> tuple[str, ...]:
        """What is shown to be worse, with its numbers."""
        single = tuple(f for f in (self.rewards, self.drift) if f is not None)
        return tuple(str(found) for found in (*self.findings, *single) if found.harm)


def make_readout(
    step: RolloutStep,
    compared: StepComparison,
    outcomes: Mapping[str, UserSums],
    settings: RolloutSettings,
    *,
    plan: Plan,
    seconds: float,
) -> Readout:
    """Both sides of a step, ``seconds`` after it began; ``outcomes`` has the sides candidate and production, if any."""
    shadow = step.kind is StepKind.SHADOW
    alpha, shadowed = alpha_of_each(plan, settings.alpha), compared.shadowed
    drift = _drift(shadowed, settings) if shadow else None
    taken = (shadowed.answers if shadow else compared.candidate).milliseconds
    beside = (shadowed.shown if shadow else compared.production).milliseconds
    return Readout(
        step=str(step),
        seconds=seconds,
        duration=step.seconds or settings.bake_seconds,
        requests=shadowed.compared if shadow else compared.candidate.requests,
        findings=tuple(_finding(row, compared, settings, alpha) for row in rows_of(step.kind)),
        rewards=_rewards(outcomes, settings, alpha) if step.kind in SHARED else None,
        drift=drift if drift and drift.items >= settings.min_requests else None,
        overlap=shadowed.overlap / shadowed.compared if shadow and shadowed.compared else None,
        skipped=shadowed.skipped if shadow else 0,
        p99_ms={"candidate": quantile_ms(taken, 0.99), "production": quantile_ms(beside, 0.99)},
    )


def _finding(row: Guardrail, compared: StepComparison, settings: RolloutSettings, alpha: float) -> GuardrailReading:
    production = Rate.of(row.production(compared), alpha=alpha / 2) if row.production else None
    return GuardrailReading(
        name=row.name,
        about=row.about,
        # Half for each side: both bounds hold together with probability 1 - alpha.
        candidate=Rate.of(row.candidate(compared), alpha=alpha / 2),
        production=production,
        margin=row.margin(settings),
    )


def _rewards(outcomes: Mapping[str, UserSums], settings: RolloutSettings, alpha: float) -> Rewards | None:
    candidate, production = outcomes.get("candidate", UserSums()), outcomes.get("production", UserSums())
    if min(candidate.users, production.users) < settings.min_users:
        return None
    if not (candidate.exposures > 0 and production.exposures > 0 and production.ratio > 0):
        return None
    loss = difference_bounds(production, candidate, alpha=alpha)
    return Rewards(
        candidate=candidate.ratio,
        production=production.ratio,
        candidate_users=candidate.users,
        production_users=production.users,
        loss_low=loss.low / production.ratio,
        loss_high=loss.high / production.ratio,
        margin=settings.margins.rewards,
    )


def _drift(shadowed: ShadowStats, settings: RolloutSettings) -> Drift | None:
    items = min(shadowed.answers.items, shadowed.shown.items)
    if items < 2:
        return None
    mean, deviation = _moments(shadowed.answers)
    beside, unit = _moments(shadowed.shown)
    if not (unit > 0 and math.isfinite(mean - beside) and math.isfinite(deviation)):
        return None  # production scores everything alike: there is nothing to measure by
    return Drift(items=items, mean=(mean - beside) / unit, spread=deviation / unit, most=settings.max_score_shift)


def _moments(stats: RequestStats) -> tuple[float, float]:
    """Mean and standard deviation of the scores."""
    mean = stats.scores / stats.items
    # Of equal scores the difference may be below zero by rounding.
    return mean, math.sqrt(max(0.0, stats.squares / stats.items - mean**2))
