"""Metrics of what is shown, whether wanted or not."""

from __future__ import annotations

import itertools
from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.evaluation.aggregates import CoveredItems, Mean
from remora.evaluation.item_statistics import ItemStatistics
from remora.evaluation.metrics import Coverage, IntraListDiversity, Novelty, PopularityBias, metrics_at
from remora.settings import EvaluationSettings

NONE = np.empty((4, 0), np.int32)


@given(st.lists(st.sets(st.integers(0, 4), max_size=3), min_size=2, max_size=8), st.integers(2, 9))
def test_diversity_is_one_less_the_mean_jaccard_similarity_of_all_pairs(sets: list[set[int]], k: int) -> None:
    padded = np.array([[*sorted(s), -1, -1, -1][:3] for s in sets], np.int32)
    pairs = [len(a & b) / len(a | b) if a | b else 0.0 for a, b in itertools.combinations(sets[:k], 2)]
    measured = IntraListDiversity(k=k, categories=padded).measure(shown=range(len(sets)))
    assert measured.value == pytest.approx(1 - np.mean(pairs), abs=1e-12)


def test_diversity_says_nothing_of_a_single_item_or_of_a_catalogue_without_categories() -> None:
    assert IntraListDiversity(k=5, categories=np.array([[1]])).measure(shown=[0]) == Mean()
    assert IntraListDiversity(k=5, categories=NONE).measure(shown=[0, 1]) == Mean()


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=6), max_size=6), st.integers(1, 6))
def test_coverage_of_many_slates_is_their_union_in_any_order_of_adding(slates: list[list[int]], k: int) -> None:
    metric = Coverage(k=k, items=10)
    measured = [metric.measure(shown=slate) for slate in slates]
    expected = len({item for slate in slates for item in slate[:k]}) / 10
    start = CoveredItems(np.empty(0, np.int64), 10)
    assert reduce(add, measured, start).value == reduce(add, reversed(measured), start).value == expected


def test_novelty_is_the_bits_of_an_items_share_of_popularity() -> None:
    items = ItemStatistics(popularity=np.array([7.0, 3.0, 3.0, -0.0]), categories=NONE[:4])
    assert items.information.tolist() == pytest.approx(np.log2(17 / np.array([8, 4, 4, 1])).tolist())
    measured = Novelty(k=2, information=items.information).measure(shown=[3, 0, 1])
    assert measured.value == pytest.approx((np.log2(17) + np.log2(17 / 8)) / 2)


def test_popularity_percentiles_share_ties_and_average_to_a_half() -> None:
    items = ItemStatistics(popularity=np.array([5.0, 1.0, 1.0, 9.0]), categories=NONE)
    assert items.percentile.tolist() == [0.625, 0.25, 0.25, 0.875]


def test_popularity_bias_is_zero_when_people_get_what_they_want_and_positive_when_they_get_blockbusters() -> None:
    metric = PopularityBias(k=2, percentile=np.array([0.125, 0.375, 0.625, 0.875]))
    assert metric.measure(shown=[0, 3], relevant={1, 2}).value == 0.0
    assert metric.measure(shown=[2, 3], relevant={0}).value == 0.625
    assert metric.measure(shown=[3], relevant={3, -1}).value == 0.0
    assert metric.measure(shown=[3], relevant={-1}) == metric.measure(shown=[], relevant={1}) == Mean()


def test_what_the_settings_choose_is_made_at_every_cutoff_under_names_of_its_own() -> None:
    made = metrics_at((10, 100), ItemStatistics(popularity=np.ones(4), categories=NONE), EvaluationSettings().metrics)
    names = [(metric.name, metric.k) for metric in made]
    assert len(set(names)) == len(names) == 18
