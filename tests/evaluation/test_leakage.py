"""Planted leaks are named, and honest features are not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from remora.evaluation.leakage import knows_the_future, too_good, within_slates

DRAW = np.random.default_rng(4)
SLATE = np.repeat(np.arange(80), 25)
LABEL = (DRAW.random(len(SLATE)) < 0.1).astype(np.float32)


def planted(name: str) -> np.ndarray:
    noise = DRAW.normal(size=len(SLATE))
    return {
        "the_label": LABEL,
        "the_label_turned_around": -LABEL + 0.01 * noise,
        "seconds_until_it_is_taken": np.where(LABEL > 0, np.abs(noise), np.nan),
        "honest_and_strong": LABEL * 1.5 + noise,
        "noise": noise,
        "constant": np.ones(len(SLATE)),
        "missing": np.full(len(SLATE), np.nan),
    }[name].astype(np.float32)


@pytest.mark.parametrize("name", ["the_label", "the_label_turned_around", "seconds_until_it_is_taken"])
def test_a_feature_that_sorts_without_fault_is_named(name: str) -> None:
    features = np.stack([planted("noise"), planted(name)], axis=1)
    (leak,) = too_good(features, ("noise", name), {"like": LABEL}, SLATE)
    assert leak.feature == name
    assert "within 7" in leak.reason or "within 80" in leak.reason


@pytest.mark.parametrize("name", ["honest_and_strong", "noise", "constant", "missing"])
def test_an_honest_feature_is_not(name: str) -> None:
    assert too_good(planted(name)[:, None], (name,), {"like": LABEL}, SLATE) == ()


def test_few_slates_are_no_evidence() -> None:
    few = SLATE < 5
    assert too_good(LABEL[few][:, None], ("the_label",), {"like": LABEL[few]}, SLATE[few]) == ()


@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 6))
def test_within_one_slate_it_is_the_area_under_the_curve(seed: int, levels: int) -> None:
    draw = np.random.default_rng(seed)
    values, taken = draw.integers(0, levels, 30).astype(float), draw.random(30) < 0.4
    if 0 < taken.sum() < 30:
        share, slates = within_slates(values, taken, np.zeros(30, np.int64))
        assert share == pytest.approx(roc_auc_score(taken, values))
        assert slates == 1
    assert within_slates(np.empty(0), np.empty(0, bool), np.empty(0, np.int64)) == (0.5, 0)


def test_a_count_of_the_future_is_distinguished_from_counts_of_the_past() -> None:
    appeal = DRAW.lognormal(sigma=1.0, size=300)
    trend = appeal * DRAW.lognormal(sigma=0.8, size=300)  # taste moves on
    before, after = DRAW.poisson(20 * appeal), DRAW.poisson(20 * trend)
    columns = {
        "sold_next_week": after + 0.0,
        "sold_by_the_end": before + after + 0.0,
        "sold_last_week": before + 0.0,
        "share_of_last_week": before / before.sum(),
        "year": DRAW.integers(1950, 2000, 300) + 0.0,
    }
    found = {leak.feature for leak in knows_the_future(columns, [before], after)}
    assert "sold_next_week" in found
    assert found <= {"sold_next_week", "sold_by_the_end"}
    assert knows_the_future({"few": np.arange(10.0)}, [np.ones(10)], np.arange(10.0)) == ()
