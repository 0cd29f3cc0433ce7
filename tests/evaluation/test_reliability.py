"""Reliability is scikit-learn's where nothing was sampled, and undoes the sampling where it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from remora.evaluation.reliability import by_segment, reliability
from remora.evaluation.segments import of_user
from remora.ranking.batch import Batch
from remora.ranking.slates import Slates
from remora.settings import EvaluationSettings


def test_bins_are_scikit_learns_of_equal_counts() -> None:
    draw = np.random.default_rng(2)
    said = draw.random(5_000)
    came = (draw.random(5_000) < said**2).astype(float)
    found = reliability("like", "all", said, came, np.ones(5_000), slates=10)
    observed, predicted = calibration_curve(came, said, n_bins=10, strategy="quantile")
    np.testing.assert_allclose([b.observed for b in found.bins], observed, atol=5e-3)
    np.testing.assert_allclose([b.predicted for b in found.bins], predicted, atol=5e-3)
    assert found.error == pytest.approx(np.abs(observed - predicted).mean(), abs=5e-3)


def test_true_probabilities_have_little_error_though_negatives_were_sampled() -> None:
    draw = np.random.default_rng(3)
    said = draw.beta(1, 8, 40_000)
    came = (draw.random(40_000) < said).astype(float)
    kept = (came > 0) | (draw.random(40_000) < 0.2)
    counts = np.where(came > 0, 1.0, 5.0)[kept]
    honest = reliability("like", "all", said[kept], came[kept], counts, slates=10)
    assert honest.error < 0.01
    assert reliability("like", "all", said[kept], came[kept], np.ones(kept.sum()), slates=10).error > 0.1


@given(
    rows=st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0]), st.sampled_from([1.0, 3.0])), min_size=1, max_size=60
    )
)
def test_bins_hold_every_row_once(rows: list[tuple[float, float, float]]) -> None:
    said, came, counts = (np.array(column) for column in zip(*rows, strict=True))
    found = reliability("like", "all", said, came, counts, slates=1)
    assert sum(b.count for b in found.bins) == pytest.approx(counts.sum())
    assert sum(b.count * b.observed for b in found.bins) == pytest.approx((came * counts).sum())
    assert 0 <= found.error <= 1
    predicted = [b.predicted for b in found.bins]
    assert predicted == sorted(predicted)


def test_segments_are_measured_apart() -> None:
    said, came = np.full(12, 0.5), np.repeat([0.0, 1.0, 0.0], 4).astype(np.float32)
    slates = Slates(
        batch=Batch(
            features=np.zeros((12, 1), np.float32),
            rows=np.arange(12, dtype=np.int32),
            slate=np.repeat([0, 1, 2], 4),
            histories=[np.empty(0, np.int32)] * 3,
        ),
        labels={"like": came},
        sampled=np.tile([1.0, 0.25, 0.5, 0.5], 3).astype(np.float32),
        history_events=np.array([0, 1_000_000, 0]),
    )
    found = by_segment({"like": said}, slates, EvaluationSettings())
    new, usual = (of_user(events, EvaluationSettings()) for events in (0, 1_000_000))
    assert {(r.segment, r.slates, round(r.observed, 3)) for r in found} == {
        *((name, 3, 0.333) for name in new if name in usual),
        *((name, 2, 0.0) for name in new if name not in usual),
        *((name, 1, 1.0) for name in usual if name not in new),
    }
    assert all(r.error == pytest.approx(abs(0.5 - r.observed)) for r in found)
    assert next(r for r in found if r.slates == 3).bins[0].count == 3 * (1 + 4 + 2 + 2)
