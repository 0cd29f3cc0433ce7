"""Rewards per exposure against GrowthBook's engine, and against peeking."""

from __future__ import annotations

import math

import numpy as np
import pytest

from remora.release.rollout.sequential.ratios import UserSums, difference_bounds

# gbstats 0.8.0, SequentialTwoSidedTTest of RatioStatistic, absolute difference, sequential_tuning_parameter 5000. It
# needs NumPy 1, so it is not installed beside this; it was asked once for these two users' sums.
PRODUCTION = UserSums(
    users=1_000,
    rewards=410.0,
    exposures=5_000.0,
    rewards_squared=900.0,
    exposures_squared=40_000.0,
    products=3_000.0,
)
CANDIDATE = UserSums(
    users=800,
    rewards=560.0,
    exposures=4_100.0,
    rewards_squared=1_400.0,
    exposures_squared=33_000.0,
    products=3_500.0,
)
GBSTATS = {
    0.05: (0.02468367443569779, 0.0844870572716193),
    0.001: (0.013838846608070263, 0.09533188509924682),
}


@pytest.mark.parametrize("alpha", GBSTATS)
def test_bounds_are_those_of_growthbook(alpha: float) -> None:
    bounds = difference_bounds(CANDIDATE, PRODUCTION, alpha=alpha)
    assert (bounds.low, bounds.high) == pytest.approx(GBSTATS[alpha], rel=1e-12)
    assert PRODUCTION.variance == pytest.approx(0.0271055055055055, rel=1e-12)


def test_the_difference_turned_round_is_its_mirror() -> None:
    one, other = (
        difference_bounds(CANDIDATE, PRODUCTION, alpha=0.05),
        difference_bounds(PRODUCTION, CANDIDATE, alpha=0.05),
    )
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_users_who_are_all_alike_say_nothing() -> None:
    alike = UserSums(users=3, rewards=3, exposures=6, rewards_squared=3, exposures_squared=12, products=6)
    assert difference_bounds(alike, alike, alpha=0.05).__dict__ == {"low": -math.inf, "high": math.inf}


def users(random: np.random.Generator, n: int) -> UserSums:
    """Sums of users who see 1 to 9 items and click a fifth of them, each by a taste of their own."""
    exposures = random.integers(1, 10, n).astype(float)
    rewards = random.binomial(exposures.astype(int), random.beta(2, 8, n)).astype(float)
    return UserSums(
        users=n,
        rewards=rewards.sum(),
        exposures=exposures.sum(),
        rewards_squared=(rewards**2).sum(),
        exposures_squared=(exposures**2).sum(),
        products=(rewards * exposures).sum(),
    )


def test_the_variance_is_that_of_repeated_draws() -> None:
    random = np.random.default_rng(3)
    drawn = [users(random, 500) for _ in range(2_000)]
    seen = np.var([sums.ratio for sums in drawn]) * 500
    assert np.mean([sums.variance for sums in drawn]) == pytest.approx(seen, rel=0.08)


def test_who_looks_after_every_batch_of_users_is_misled_as_seldom_as_promised() -> None:
    """And a fixed interval of the same data is misled more often than it says."""
    random, worlds, alpha = np.random.default_rng(4), 300, 0.05
    misled = fixed = 0
    for _ in range(worlds):
        one = other = UserSums()
        missed = missed_fixed = False
        for _ in range(60):
            one, other = one + users(random, 60), other + users(random, 60)
            bounds = difference_bounds(one, other, alpha=alpha)
            missed |= bounds.low > 0 or bounds.high < 0
            deviation = math.sqrt(one.variance / one.users + other.variance / other.users)
            missed_fixed |= abs(one.ratio - other.ratio) > 1.96 * deviation
        misled, fixed = misled + missed, fixed + missed_fixed
    assert misled / worlds <= alpha
    assert fixed / worlds > 3 * alpha
