"""The closed-form members against definitions written out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from remora.retrieval.interaction_histories import Histories
from remora.retrieval.linear import next_item
from remora.retrieval.linear.co_occurrence import directions, pointwise_mutual_information
from remora.retrieval.linear.ease import Ease
from remora.retrieval.linear.graph_filter import GraphFilter, smoothest
from remora.retrieval.linear.model import neighbours
from remora.retrieval.linear.next_item import NextItem, decayed, recent

USERS, ITEMS = 40, 15


@pytest.fixture(scope="module")
def matrix() -> sp.csr_array:
    dense = np.random.default_rng(3).random((USERS, ITEMS)) < 0.3
    dense[:, 7] = False  # an item that nobody had
    dense[5] = False  # a user without items
    return sp.csr_array(dense.astype(np.float32))


def sequences(seed: int = 4, users: int = 30) -> list[Any]:
    draw = np.random.default_rng(seed)
    return [draw.integers(0, ITEMS, draw.integers(1, 9)) for _ in range(users)]


def test_each_column_of_ease_is_a_ridge_regression_without_the_item_itself(matrix: sp.csr_array) -> None:
    weights, dense = Ease.fit(matrix, ridge=2.0).weights, matrix.toarray()
    for item in range(ITEMS):
        others = [n for n in range(ITEMS) if n != item]
        expected = Ridge(alpha=2.0, fit_intercept=False).fit(dense[:, others], dense[:, item]).coef_
        np.testing.assert_allclose(weights[others, item], expected, atol=1e-4)
        assert weights[item, item] == 0


def test_next_item_is_a_ridge_regression_of_what_comes_on_what_was() -> None:
    rows_past, rows_future = [], []
    for one in sequences():
        for place in range(1, len(one)):
            past, future = np.zeros(ITEMS), np.zeros(ITEMS)
            for at, item in enumerate(one):
                if at < place:
                    past[item] += np.exp(-(place - 1 - at) / 3.0)
                else:
                    future[item] += np.exp(-(at - place) / 0.8)
            rows_past.append(past)
            rows_future.append(future)
    expected = Ridge(alpha=1.5, fit_intercept=False).fit(np.array(rows_past), np.array(rows_future)).coef_.T
    model = NextItem.fit(sequences(), ITEMS, past_decay=3.0, future_decay=0.8, ridge=1.5)
    np.testing.assert_allclose(model.weights, expected, atol=3e-3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=7), min_size=1, max_size=6), st.floats(0.3, 20))
def test_recent_weighs_the_last_item_by_one_and_earlier_ones_less(histories: list[list[int]], decay: float) -> None:
    found = recent([np.array(h) for h in histories], 6, decay).toarray()
    for row, history in zip(found, histories, strict=True):
        expected = np.zeros(6)
        for back, item in enumerate(history[::-1]):
            weight = np.exp(-back / decay)
            expected[item] += weight if weight > 1e-3 else 0
        np.testing.assert_allclose(row, expected, rtol=1e-5)


def test_a_sequence_of_length_one_teaches_nothing_and_breaks_nothing() -> None:
    past, future = decayed([np.array([2]), np.array([1, 3])], 4, 2.0, 1.0)
    assert past.toarray().tolist() == [[0, 1, 0, 0]]
    assert future.toarray().tolist() == [[0, 0, 0, 1]]


@pytest.mark.parametrize("sharpening", [0.0, 1.5])
def test_the_graph_filter_is_the_one_written_out_with_dense_matrices(matrix: sp.csr_array, sharpening: float) -> None:
    dense = matrix.toarray().astype(np.float64)
    users, items = dense.sum(1), dense.sum(0)
    power = lambda d, p: np.where(d > 0, np.maximum(d, 1) ** p, 0.0)  # noqa: E731
    graph = power(users, -0.5)[:, None] * dense * power(items, -0.5)
    laplace = graph.T @ graph
    _, _, right = np.linalg.svd(graph)
    low = right[:4].T @ right[:4]
    history = dense[:6]
    expected = history @ laplace + 0.3 * (history * power(items, -0.5)) @ low * power(items, 0.5)
    if sharpening:
        step, total = expected, expected
        for order in range(1, 5):
            step = step @ laplace * (-sharpening / order)
            total = total + step
        expected = total
    model = GraphFilter.fit(matrix, rank=4, low_pass=0.3, sharpening=sharpening)
    np.testing.assert_allclose(model.scores(matrix[:6]), expected, atol=2e-4)


def test_the_smoothest_directions_hold_what_a_full_decomposition_gives() -> None:
    draw = np.random.default_rng(6)
    groups = draw.random((12, 300)) < 0.2  # users of a kind have items of a kind
    dense = (draw.random((400, 300)) < 0.05 + 0.5 * groups[draw.integers(0, 12, 400)]).astype(np.float32)
    basis = smoothest(sp.csr_array(dense), 10, seed=1)
    np.testing.assert_allclose(basis.T @ basis, np.eye(10), atol=1e-4)
    best = np.linalg.svd(dense, compute_uv=False)[:10]
    assert np.square(dense @ basis).sum() > 0.999 * np.square(best).sum()


def test_neighbours_are_the_best_others_of_each_item(matrix: sp.csr_array) -> None:
    model = Ease.fit(matrix, ridge=2.0)
    rows, scores = (np.concatenate(x) for x in zip(*neighbours(model, ITEMS, 4, step=6), strict=True))
    assert rows.shape == scores.shape == (ITEMS, 4)
    for item in range(ITEMS):
        others = np.delete(model.weights[item], item)
        assert item not in rows[item]
        np.testing.assert_allclose(scores[item], np.sort(others)[::-1][:4])


def test_a_ridge_of_nothing_on_a_singular_matrix_says_so(matrix: sp.csr_array) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="raise the ridge"):
        Ease.fit(matrix, ridge=0.0)


def test_one_user_and_items_without_users_are_no_trouble() -> None:
    alone = sp.csr_array(np.array([[1, 1, 0, 1]], np.float32))
    scores = GraphFilter.fit(alone, rank=8, low_pass=0.3, sharpening=1.0).scores(alone)
    assert np.isfinite(scores).all()
    assert (scores[0, [0, 1, 3]] > scores[0, 2]).all()


@pytest.mark.parametrize("events", [1, 7, 40])
def test_next_item_fitted_block_by_block_is_the_one_fitted_at_once(
    events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = NextItem.fit(sequences(), ITEMS, past_decay=3.0, future_decay=0.8, ridge=1.5).weights
    monkeypatch.setattr(next_item, "EVENTS_AT_A_TIME", events)
    parts = NextItem.fit(sequences(), ITEMS, past_decay=3.0, future_decay=0.8, ridge=1.5).weights
    np.testing.assert_allclose(parts, whole, atol=1e-4)


def test_pmi_is_the_one_counted_in_a_loop() -> None:
    histories, reach = sequences(), 2
    near = np.zeros((ITEMS, ITEMS))
    for one in histories:
        for place, item in enumerate(one):
            for apart in range(1, reach + 1):
                if place + apart < len(one):
                    near[item, one[place + apart]] += 1 / apart
                    near[one[place + apart], item] += 1 / apart
    often = near.sum(1)
    context = often**0.75 / (often**0.75).sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        positive = np.nan_to_num(np.maximum(np.log(near / (often[:, None] * context)), 0))
    found = pointwise_mutual_information(Histories.of(histories, ITEMS), reach).toarray()
    np.testing.assert_allclose(found, (positive + positive.T) / 2, atol=1e-9)


def test_directions_are_the_best_approximation_of_the_pmi_that_has_so_many_columns() -> None:
    histories = Histories.of(sequences(users=200), ITEMS)
    dense = pointwise_mutual_information(histories, 3).toarray()
    values, vectors = np.linalg.eigh(dense)
    best = np.argsort(-values)[:4]
    expected = (vectors[:, best] * np.maximum(values[best], 0)) @ vectors[:, best].T
    found = directions(histories, 4)
    scale = expected.trace() / (found @ found.T).trace()
    np.testing.assert_allclose(scale * found @ found.T, expected, atol=1e-4)
    assert np.mean(np.linalg.norm(found, axis=1) ** 2) == pytest.approx(1.0, rel=1e-4)
    np.testing.assert_array_equal(found, directions(histories, 4))


@pytest.mark.parametrize("histories", [[[3]], [[1], [2]], []])
def test_histories_in_which_nothing_met_have_no_directions(histories: list[list[int]]) -> None:
    assert not directions(Histories.of(histories, ITEMS), 4).any()


def test_a_catalogue_smaller_than_the_dimension_leaves_columns_empty() -> None:
    found = directions(Histories.of([[0, 1, 2, 3, 4, 0, 2]], 5), 8)
    assert found.shape == (5, 8)
    assert found.any()
    assert not found[:, 3:].any()
