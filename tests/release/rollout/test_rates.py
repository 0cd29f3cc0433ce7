"""The bounds against brute force, and against what peeking does to an interval that was not made for it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import beta, binomtest

from remora.release.rollout.sequential.rates import rate_bounds, rates_bounds

ALPHA = 0.05


def mixture_over_likelihood(rate: float, hits: int, n: int) -> float:
    """By quadrature, in another form than the code's: q = sin² t turns Beta(1/2, 1/2) into a uniform density."""

    def likelihood(t: float) -> float:
        q = np.sin(t) ** 2
        return (q / rate) ** hits * ((1 - q) / (1 - rate)) ** (n - hits) * 2 / np.pi

    return float(integrate.quad(likelihood, 0, np.pi / 2, limit=200)[0])


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 30), (1, 30), (15, 30), (30, 30), (3, 80)])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_inside_the_bounds_are_the_rates_that_the_mixture_does_not_refute(hits: int, n: int, alpha: float) -> None:
    low, high = (getattr(rate_bounds(hits, n, alpha=alpha), end) for end in ("low", "high"))
    for rate in np.linspace(0.001, 0.999, 333):
        refuted = mixture_over_likelihood(rate, hits, n) >= 1 / alpha
        if min(abs(rate - low), abs(rate - high)) > 1e-6:
            assert refuted == (rate < low or rate > high)


COUNTS = st.integers(0, 10**9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
ALPHAS = st.floats(1e-9, 0.5)


@given(COUNTS, ALPHAS)
def test_the_bounds_are_around_what_was_seen_and_mirror_each_other(counts: tuple[int, int], alpha: float) -> None:
    hits, n = counts
    bounds, mirrored = rate_bounds(hits, n, alpha=alpha), rate_bounds(n - hits, n, alpha=alpha)
    assert 0 <= bounds.low <= (hits / n if n else 0.5) <= bounds.high <= 1
    assert (bounds.low, bounds.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low), abs=1e-9)


@given(COUNTS, ALPHAS, ALPHAS)
def test_the_surer_the_wider(counts: tuple[int, int], one: float, other: float) -> None:
    wide, narrow = (rate_bounds(*counts, alpha=alpha) for alpha in sorted((one, other)))
    assert wide.low <= narrow.low + 1e-12
    assert narrow.high <= wide.high + 1e-12


def test_nothing_seen_says_nothing_and_extremes_reach_the_ends() -> None:
    assert rate_bounds(0, 0, alpha=ALPHA).__dict__ == {"low": 0.0, "high": 1.0}
    none, all_of_it = rate_bounds(0, 1_000, alpha=ALPHA), rate_bounds(1_000, 1_000, alpha=ALPHA)
    assert none.low == 0.0
    assert 0.003 < none.high < 0.01
    assert all_of_it.high == 1.0
    assert all_of_it.low == pytest.approx(1 - none.high)


def test_bounds_close_in_on_the_rate() -> None:
    widths = [rate_bounds(n // 50, n, alpha=ALPHA) for n in (50, 5_000, 500_000, 50_000_000)]
    assert [b.high - b.low for b in widths] == sorted((b.high - b.low for b in widths), reverse=True)
    assert widths[-1].high - widths[-1].low < 2e-4


def test_many_at_once_are_as_each_alone() -> None:
    hits, n = np.array([0, 3, 7, 100]), np.array([10, 10, 7, 10_000])
    low, high = rates_bounds(hits, n, alpha=ALPHA)
    alone = [rate_bounds(h, m, alpha=ALPHA) for h, m in zip(hits, n, strict=True)]
    assert low.tolist() == [b.low for b in alone]
    assert high.tolist() == [b.high for b in alone]


@pytest.mark.parametrize(("hits", "n", "alpha"), [(-1, 3, 0.05), (4, 3, 0.05), (1, 3, 0.0), (1, 3, 1.0)])
def test_what_makes_no_sense_is_an_error(hits: int, n: int, alpha: float) -> None:
    with pytest.raises(ValueError, match=r"alpha|hits"):
        rate_bounds(hits, n, alpha=alpha)


WORLDS, LENGTH = 400, 2_000


def misses(low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], rate: float) -> float:
    """Share of worlds in which the rate was outside at some look."""
    return float(np.mean(np.any((low > rate) | (high < rate), axis=1)))


def peeked(rate: float) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Hits after each of the requests, in many worlds."""
    draws = np.random.default_rng(11).random((WORLDS, LENGTH)) < rate
    return np.cumsum(draws, axis=1), np.broadcast_to(np.arange(1, LENGTH + 1), draws.shape)


@pytest.mark.parametrize("rate", [0.002, 0.05, 0.5])
def test_who_looks_at_every_request_is_misled_as_seldom_as_promised(rate: float) -> None:
    hits, n = peeked(rate)
    low, high = rates_bounds(hits, n, alpha=ALPHA)
    assert misses(low, high, rate) <= ALPHA


@pytest.mark.parametrize("rate", [0.05, 0.5])
def test_with_intervals_for_a_fixed_number_of_requests_the_same_looks_mislead(rate: float) -> None:
    hits, n = peeked(rate)
    exact_low = np.where(hits > 0, beta.ppf(ALPHA / 2, np.maximum(hits, 0.5), n - hits + 1), 0.0)
    exact_high = np.where(hits < n, beta.ppf(1 - ALPHA / 2, hits + 1, np.maximum(n - hits, 0.5)), 1.0)
    one = binomtest(int(hits[0, -1]), LENGTH).proportion_ci(1 - ALPHA, method="exact")
    assert (exact_low[0, -1], exact_high[0, -1]) == pytest.approx((one.low, one.high))
    assert misses(exact_low, exact_high, rate) > 2 * ALPHA
    last = slice(LENGTH - 1, None)
    assert misses(exact_low[:, last], exact_high[:, last], rate) <= ALPHA + 0.02  # at one look they are right


def test_a_mean_of_shares_is_bounded_like_a_rate() -> None:
    shares = np.random.default_rng(5).choice([0.0, 0.25, 1.0], (WORLDS, LENGTH), p=[0.5, 0.4, 0.1])
    n = np.broadcast_to(np.arange(1, LENGTH + 1), shares.shape)
    low, high = rates_bounds(np.minimum(np.cumsum(shares, axis=1), n), n, alpha=ALPHA)
    assert misses(low, high, 0.2) <= ALPHA
