"""Calibrators say what scikit-learn says, and never turn an order around."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from remora.ranking.batch import Batch
from remora.ranking.blend import Blend
from remora.ranking.calibration import ByHistory, Isotonic, Sigmoid
from remora.ranking.columns import RankerColumns
from remora.ranking.ranker import RankerSpec
from remora.ranking.slates import Slates
from remora.training.fit_calibration import by_history, calibrator

ONE = Blend.of_one("trees", 1)


def drawn(n: int = 4_000, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Margins that are twice the true log odds less one, labels, and the share that was kept of each row."""
    draw = np.random.default_rng(seed)
    odds = draw.normal(-1, 1.5, n)
    labels = (draw.random(n) < 1 / (1 + np.exp(-odds))).astype(np.float64)
    kept = (labels > 0) | (draw.random(n) < 0.25)
    return 2 * odds[kept] - 1, labels[kept], np.where(labels > 0, 1.0, 4.0)[kept]


def test_platt_is_scikit_learns_logistic_regression_and_undoes_the_sampling() -> None:
    margins, labels, counts = drawn()
    found = calibrator("platt", margins, labels, counts)
    peer = LogisticRegression(C=np.inf).fit(margins[:, None], labels, sample_weight=counts)
    np.testing.assert_allclose(found(margins), peer.predict_proba(margins[:, None])[:, 1], atol=2e-3)
    assert np.average(found(margins), weights=counts) == pytest.approx(np.average(labels, weights=counts), abs=2e-3)
    np.testing.assert_allclose([found.slope, found.intercept], [0.5, 0.5], atol=0.12)  # type: ignore[union-attr]


def test_temperature_is_scikit_learns() -> None:
    margins, labels, _ = drawn()
    odds = (margins + 1) / 2 * 3  # three times too sure

    known = LogisticRegression().fit(odds[:, None], labels)
    known.coef_, known.intercept_ = np.array([[1.0]]), np.array([0.0])  # a classifier that says these margins
    peer = CalibratedClassifierCV(FrozenEstimator(known), method="temperature").fit(odds[:, None], labels)
    found = calibrator("temperature", odds, labels, np.ones(len(odds)))
    np.testing.assert_allclose(found(odds), peer.predict_proba(odds[:, None])[:, 1], atol=5e-3)


def test_isotonic_has_scikit_learns_blocks_and_keeps_the_order_between_their_centres() -> None:
    margins, labels, counts = drawn(600)
    found = calibrator("isotonic", margins, labels, counts)
    assert isinstance(found, Isotonic)
    peer = IsotonicRegression(out_of_bounds="clip").fit(margins, labels, sample_weight=counts)
    np.testing.assert_allclose(found(np.array(found.margins)), peer.predict(found.margins), atol=1e-9)
    inside = np.linspace(found.margins[0], found.margins[-1], 500)
    assert (np.diff(found(inside)) > 0).all()
    assert (np.diff(peer.predict(inside)) == 0).any()


@given(
    kind=st.sampled_from(["platt", "temperature", "isotonic"]),
    rows=st.lists(
        st.tuples(st.floats(-20, 20), st.sampled_from([0.0, 1.0]), st.sampled_from([1.0, 2.5, 40.0])), max_size=40
    ),
)
def test_any_rows_give_probabilities_in_the_order_of_the_margins(kind, rows) -> None:  # type: ignore[no-untyped-def]
    margins, labels, counts = (
        (np.array(column, np.float64) for column in zip(*rows, strict=True)) if rows else [np.empty(0)] * 3
    )
    found = calibrator(kind, margins, labels, counts)
    said = found(np.linspace(-30, 30, 61))
    assert ((said >= 0) & (said <= 1)).all()
    assert (np.diff(said) >= -1e-12).all()
    assert type(found).model_validate_json(found.model_dump_json()) == found


def test_what_cannot_be_distinguished_gets_the_mean() -> None:
    labels, counts = np.array([0.0, 1.0, 0.0]), np.array([1.0, 1.0, 2.0])
    assert calibrator("isotonic", np.zeros(3), labels, counts)(np.array([-5.0, 9.0])).tolist() == [0.25, 0.25]
    said = calibrator("platt", np.arange(3.0), np.zeros(3), counts)(np.array([0.0, 100.0]))
    assert said[0] == said[1] == pytest.approx(1 / 6)
    worse_than_chance = calibrator("platt", np.arange(100.0), (np.arange(100) < 30).astype(float), np.ones(100))
    assert worse_than_chance(np.array([0.0]))[0] == pytest.approx(0.3, abs=0.01)


def test_a_nan_margin_stays_unknown() -> None:
    assert np.isnan(Sigmoid(slope=1, intercept=0)(np.array([np.nan]))).all()
    assert np.isnan(Isotonic(margins=(0.0, 1.0), values=(0.1, 0.2))(np.array([np.nan]))).all()


@pytest.mark.parametrize(
    ("margins", "values"), [((0.0, 1.0), (0.5,)), ((1.0, 0.0), (0.1, 0.2)), ((0.0, 1.0), (0.2, 0.1)), ((), ())]
)
def test_a_map_that_falls_is_none(margins: tuple[float, ...], values: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        Isotonic(margins=margins, values=values)


def of_two_kinds(slates: int, *, seed: int = 5, share_of_new: float = 0.5) -> tuple[Slates, np.ndarray]:
    """Slates of twenty candidates, whose margins are log odds but for new users, who take more of whatever they see."""
    draw, each = np.random.default_rng(seed), 20
    new = draw.random(slates) < share_of_new
    slate = np.repeat(np.arange(slates), each)
    margins = draw.normal(-2, 1, slates * each)
    label = (draw.random(len(slate)) < 1 / (1 + np.exp(-(margins + np.where(new[slate], 1.5, 0.0))))).astype(np.float32)
    batch = Batch(
        features=margins[:, None].astype(np.float32),
        rows=np.tile(np.arange(each, dtype=np.int32), slates),
        slate=slate,
        histories=[np.arange(0 if one else 10, dtype=np.int32) for one in new],
    )
    judged = Slates(
        batch=batch,
        labels={"taken": label},
        sampled=np.ones(len(slate), np.float32),
        history_events=np.where(new, 0, 10),
    )
    return judged, margins


def test_new_users_and_others_are_each_calibrated_and_no_slate_changes_its_order() -> None:
    judged, margins = of_two_kinds(400)
    history, label = judged.batch.history_lengths, judged.labels["taken"]
    apart = by_history("platt", margins, judged, label, few=5)
    together = calibrator("platt", margins, label, judged.counts)
    assert isinstance(apart, ByHistory)
    for part in (history < 5, history >= 5):
        assert apart(margins, history)[part].mean() == pytest.approx(label[part].mean(), abs=0.002)
        assert abs(together(margins, history)[part].mean() - label[part].mean()) > 0.05
    for number in range(20):
        inside = judged.batch.slate == number
        assert np.argsort(apart(margins, history)[inside]).tolist() == np.argsort(margins[inside]).tolist()
    read = RankerSpec.model_validate_json(
        RankerSpec(
            columns=RankerColumns(columns=()), calibrators={"taken": apart}, blend=ONE, types={}
        ).model_dump_json()
    )
    assert read.calibrators["taken"] == apart


@pytest.mark.parametrize("share_of_new", [0.0, 0.05, 0.99])
def test_too_few_of_either_are_calibrated_as_all_are(share_of_new: float) -> None:
    judged, margins = of_two_kinds(400, share_of_new=share_of_new)
    label = judged.labels["taken"]
    assert by_history("platt", margins, judged, label, few=5) == calibrator("platt", margins, label, judged.counts)
