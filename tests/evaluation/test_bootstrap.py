from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from remora.evaluation import bootstrap
from remora.evaluation.bootstrap import Bootstrap


def test_scipy_gives_the_same_interval_for_a_plain_mean() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=300)
    ours = Bootstrap.over_users(values[:, None], np.ones((300, 1)), samples=20_000, seed=7).interval(0)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    assert ours.mean == pytest.approx(values.mean())
    width = theirs.high - theirs.low
    assert abs(ours.low - theirs.low) < 0.03 * width
    assert abs(ours.high - theirs.high) < 0.03 * width


def test_scipy_gives_the_same_interval_for_a_paired_difference() -> None:
    random = np.random.default_rng(2)
    skill = random.normal(size=200)
    values = np.stack([skill + random.normal(0.1, 0.2, 200), skill], axis=1)
    ours = Bootstrap.over_users(values, np.ones((200, 2)), samples=20_000, seed=7)
    paired = stats.bootstrap(
        (values[:, 0], values[:, 1]),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=np.random.default_rng(7),
    ).confidence_interval
    found = ours.difference(0, 1)
    width = paired.high - paired.low
    assert found.excludes_zero
    assert abs(found.low - paired.low) < 0.03 * width
    assert abs(found.high - paired.high) < 0.03 * width
    assert width < 0.3 * (ours.interval(0).high - ours.interval(0).low)  # pairing takes the users' own level out


def test_the_interval_of_95_percent_holds_the_truth_19_times_in_20_though_queries_of_a_user_resemble_each_other() -> (
    None
):
    random, users, trials, held = np.random.default_rng(3), 80, 400, 0
    for trial in range(trials):
        queries = random.integers(1, 12, users)
        totals = queries * random.normal(1.0, 1.0, users) + np.sqrt(queries) * random.normal(0.0, 0.3, users)
        found = Bootstrap.over_users(totals[:, None], queries[:, None].astype(float), samples=400, seed=trial)
        held += found.interval(0).low <= 1.0 <= found.interval(0).high
    assert 0.90 < held / trials < 0.98


def test_the_same_seed_gives_the_same_interval_in_chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    totals, counts = np.random.default_rng(4).random((50, 3)), np.ones((50, 3))
    whole = Bootstrap.over_users(totals, counts, samples=100, seed=5)
    monkeypatch.setattr(bootstrap, "CHUNK_BYTES", 8 * 50 * 7)
    in_sevens = Bootstrap.over_users(totals, counts, samples=100, seed=5)
    np.testing.assert_allclose(whole.resampled, in_sevens.resampled, rtol=1e-12)
    assert whole.interval(1) != Bootstrap.over_users(totals, counts, samples=100, seed=6).interval(1)


def test_a_query_weighs_the_same_whoever_asked_it() -> None:
    found = Bootstrap.over_users(np.array([[3.0], [0.0]]), np.array([[3.0], [1.0]]), samples=10, seed=1)
    assert found.interval(0).mean == 0.75


def test_a_column_without_a_count_has_no_value() -> None:
    found = Bootstrap.over_users(np.zeros((3, 2)), np.array([[0.0, 1.0]] * 3), samples=10, seed=1)
    assert np.isnan([found.interval(0).mean, found.interval(0).low, found.interval(0).high]).all()
    assert not found.interval(0).excludes_zero
    assert found.interval(1).mean == 0.0


def test_no_users_at_all_have_no_value() -> None:
    found = Bootstrap.over_users(np.zeros((0, 1)), np.zeros((0, 1)), samples=10, seed=1)
    assert np.isnan(found.interval(0).mean)
