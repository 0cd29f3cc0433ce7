"""Spacing chooses greedily by its formula, and trades score for distance no further than its strength says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.pipeline import Candidates, Reranker, Retrieved
from remora.policies.rerankers.category_diversity import CategoryDiversity
from remora.testing.stages import N_ITEMS, RerankerContract, some_query

ONE_OF_THREE = (np.arange(N_ITEMS) % 3).astype(np.int32)[:, None]


def scored(scores: list[float]) -> Candidates:
    rows = np.arange(len(scores), dtype=np.int32)
    found = Retrieved(rows, np.zeros(len(rows), np.float32))
    return Candidates.merge([("one", found)]).scored(np.array(scores, np.float32))


class TestCategorySpacing(RerankerContract):
    @pytest.fixture
    def stage(self) -> Reranker:
        return CategoryDiversity(categories=ONE_OF_THREE, window=4, strength=0.5)


@given(
    members=st.lists(st.lists(st.integers(0, 5), max_size=3, unique=True), min_size=2, max_size=14),
    scores=st.lists(st.integers(-20, 20), min_size=14, max_size=14),
    window=st.integers(1, 6),
    strength=st.sampled_from([0.0, 0.05, 0.5, 3.0]),
    n=st.integers(1, 14),
)
def test_each_place_goes_to_the_candidate_with_the_highest_value_of_the_formula(
    members: list[list[int]], scores: list[int], window: int, strength: float, n: int
) -> None:
    values = sorted((float(s) for s in scores[: len(members)]), reverse=True)
    padded = np.array([m + [-1] * (3 - len(m)) for m in members], np.int32)
    order = CategoryDiversity(categories=padded, window=window, strength=strength).rerank(
        some_query(n=n), scored(values)
    )
    cost = strength * float(np.std(values))

    def value(candidate: int, shown: list[int]) -> float:
        others = shown[-(window - 1) :] if window > 1 else []
        mine = set(members[candidate])
        overlaps = [len(mine & set(members[o])) / max(len(mine | set(members[o])), 1) for o in others]
        return values[candidate] - cost * sum(overlaps)

    shown: list[int] = []
    for chosen in order[:n].tolist():
        best = max(value(c, shown) for c in range(len(members)) if c not in shown)
        assert value(chosen, shown) == pytest.approx(best, abs=1e-9)
        shown.append(chosen)
    assert order[n:].tolist() == sorted(order[n:].tolist())


def test_a_run_of_one_category_is_broken_up_by_the_next_best_of_another() -> None:
    categories = np.array([[0], [0], [0], [1], [1]], np.int32)
    order = CategoryDiversity(categories=categories, window=2, strength=2.0).rerank(
        some_query(n=5), scored([1.0, 0.9, 0.8, 0.7, 0.6])
    )
    assert order.tolist() == [0, 3, 1, 4, 2]


def test_a_repetition_that_is_far_enough_back_costs_nothing() -> None:
    categories = np.array([[0], [1], [0], [2]], np.int32)
    spaced = CategoryDiversity(categories=categories, window=2, strength=10.0)
    assert spaced.rerank(some_query(n=4), scored([4.0, 3.0, 2.0, 1.0])).tolist() == [0, 1, 2, 3]
    wider = CategoryDiversity(categories=categories, window=3, strength=10.0)
    assert wider.rerank(some_query(n=4), scored([4.0, 3.0, 2.0, 1.0])).tolist() == [0, 1, 3, 2]


def test_the_unit_of_the_scores_does_not_matter() -> None:
    random = np.random.default_rng(5)
    values = np.sort(random.normal(size=N_ITEMS))[::-1]
    spacing = CategoryDiversity(categories=ONE_OF_THREE, window=4, strength=0.7)
    order = spacing.rerank(some_query(n=20), scored(values.tolist()))
    np.testing.assert_array_equal(order, spacing.rerank(some_query(n=20), scored((values * 64 + 8).tolist())))


def test_items_without_a_category_are_never_held_back() -> None:
    none = np.full((4, 2), -1, np.int32)
    spacing = CategoryDiversity(categories=none, window=4, strength=100.0)
    assert spacing.rerank(some_query(n=4), scored([4.0, 3.0, 2.0, 1.0])).tolist() == [0, 1, 2, 3]
