from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

import remora.release.rollout.readout as module_of_readouts
from remora.control.replica_status import EMPTY, LATENCY_BOUNDS_MS, RequestStats, ShadowStats
from remora.release.rollout.decision import Verdict, decide
from remora.release.rollout.guardrails import GUARDRAILS, StepComparison, alpha_of_each, rows_of
from remora.release.rollout.latency import bucket_of_quantile, quantile_ms, slow_bucket, slower
from remora.release.rollout.plan import Plan, StepKind
from remora.release.rollout.readout import Readout, make_readout
from remora.release.rollout.sequential.rates import Bounds
from remora.settings import MarginSettings, RolloutSettings

PLAN = Plan.parse("shadow:1m,canary:5%:1m,ramp:25%:1m,full")
STRICT = RolloutSettings(
    min_requests=100,
    margins=MarginSettings(failed=0, deadline_exceeded=0, degraded=0, underfilled=0, unscored=0, latency=0, rewards=0),
)
RATES = ("failed", "deadline_exceeded", "degraded", "underfilled", "unscored")


def answers(random: np.random.Generator, n: int, rate: float) -> RequestStats:
    slow = int(random.binomial(n, rate))
    buckets = (n - slow, *EMPTY[2:], slow)
    return RequestStats(requests=n, milliseconds=buckets, **{name: int(random.binomial(n, rate)) for name in RATES})


def shadowed(random: np.random.Generator, n: int, rate: float) -> ShadowStats:
    return ShadowStats(answers=answers(random, n, rate), shown=answers(random, n, rate), overlap=0.6 * n)


def misled(random: np.random.Generator, settings: RolloutSettings, rate: float, looks: int = 40) -> bool:
    """Is a bundle that is exactly as production is rolled back somewhere in a whole rollout?"""
    for step in PLAN.steps:
        candidate = production = RequestStats()
        beside, baseline = ShadowStats(), answers(random, 4_000, rate)
        for look in range(looks):
            n = 100
            candidate = candidate + answers(random, int(random.binomial(n, max(step.share, 0.05))), rate)
            production = production + answers(random, n, rate)
            beside = beside + shadowed(random, n, rate)
            before = baseline if step.kind is StepKind.FULL else production
            sides = StepComparison(candidate=candidate, production=before, shadowed=beside, slow_after=5)
            readout = make_readout(step, sides, {}, settings, plan=PLAN, seconds=look)
            if decide(readout, {}, settings, paused=False).verdict is Verdict.ROLL_BACK:
                return True
    return False


@pytest.mark.slow
def test_a_whole_rollout_of_a_bundle_that_is_as_production_is_seldom_rolled_back_without_any_margin() -> None:
    """With alpha a half so that the draws could show it: no margin, a look at every hundred requests, all rows."""
    settings = STRICT.model_copy(update={"alpha": 0.5})
    random, worlds = np.random.default_rng(12), 24
    assert sum(misled(random, settings, rate=0.2) for _ in range(worlds)) / worlds <= 0.5


def test_with_bounds_for_one_look_the_same_bundle_is_mostly_rolled_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def exact(hits: float, n: int, *, alpha: float) -> Bounds:
        low = beta.ppf(alpha / 2, hits, n - hits + 1) if hits else 0.0
        return Bounds(float(low), float(beta.ppf(1 - alpha / 2, hits + 1, n - hits)) if hits < n else 1.0)

    monkeypatch.setattr(module_of_readouts, "rate_bounds", exact)
    monkeypatch.setattr(module_of_readouts, "alpha_of_each", lambda plan, alpha: alpha)
    random, worlds = np.random.default_rng(12), 8
    assert sum(misled(random, STRICT.model_copy(update={"alpha": 0.5}), rate=0.2) for _ in range(worlds)) > worlds / 2


def test_the_tests_share_alpha() -> None:
    tests = sum(len(rows_of(step.kind)) for step in PLAN.steps) + 2  # rewards, for the canary and the ramp
    assert alpha_of_each(PLAN, 0.05) * tests == pytest.approx(0.05)


def test_every_row_is_tested_somewhere_and_named_once_a_step() -> None:
    assert {row.name for kind in StepKind for row in rows_of(kind)} == {row.name for row in GUARDRAILS}
    for kind in StepKind:
        names = [row.name for row in rows_of(kind)]
        assert len(names) == len(set(names)) > 0


def readout(kind: StepKind, candidate: RequestStats, production: RequestStats, settings: RolloutSettings) -> Readout:
    step = next(step for step in PLAN.steps if step.kind is kind)
    sides = StepComparison(candidate=candidate, production=production, shadowed=ShadowStats(), slow_after=5)
    return make_readout(step, sides, {}, settings, plan=PLAN, seconds=1)


def test_harm_is_named_with_both_rates_and_the_margin() -> None:
    worse, baseline = RequestStats(requests=400, failed=60), RequestStats(requests=8_000, failed=8)
    (harm,) = readout(StepKind.CANARY, worse, baseline, RolloutSettings()).harms
    for part in ("failed", "15.00% of 400", "0.10% of 8,000", "margin 0.50%"):
        assert part in harm


def test_what_is_worse_within_the_margin_is_no_harm() -> None:
    worse, baseline = (
        RequestStats(requests=100_000, deadline_exceeded=2_500),
        RequestStats(requests=1_000_000, deadline_exceeded=10_000),
    )
    assert readout(StepKind.CANARY, worse, baseline, RolloutSettings()).harms == ()
    assert readout(StepKind.CANARY, worse, baseline, STRICT).harms != ()


def test_an_outage_that_meets_both_is_no_harm() -> None:
    assert (
        readout(
            StepKind.CANARY, RequestStats(requests=900, failed=880), RequestStats(requests=9_000, failed=8_800), STRICT
        ).harms
        == ()
    )


def test_nothing_is_known_where_production_has_no_answers() -> None:
    assert readout(StepKind.FULL, RequestStats(requests=900, failed=900), RequestStats(), RolloutSettings()).harms == ()


def test_quantiles_of_buckets() -> None:
    counts = (90, 0, 9, 1, *EMPTY[4:])
    assert bucket_of_quantile(EMPTY, 0.99) is None
    assert (quantile_ms(counts, 0.5), quantile_ms(counts, 0.99), quantile_ms(counts, 1.0)) == (1.0, 3.0, 5.0)
    assert quantile_ms((*EMPTY[1:], 1), 0.99) == float("inf")
    assert slow_bucket(counts, timeout_ms=150) == 2
    assert slower(counts, 2) == 1
    assert slow_bucket(EMPTY, timeout_ms=150) == LATENCY_BOUNDS_MS.index(150.0)
