"""Metrics of relevance against three independent implementations: scikit-learn, ranx, and all orders written out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
import ranx
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from remora.evaluation.metrics import MRR, NDCG, HitRate, MeanAveragePrecision, Metric, Recall, judge

RANX = {NDCG: "ndcg", Recall: "recall", MRR: "mrr", MeanAveragePrecision: "map", HitRate: "hit_rate"}
METRICS = tuple(RANX)


def orders_of_ties(scores: Sequence[float]) -> list[tuple[int, ...]]:
    """Every order of the positions in which no lower score stands above a higher one."""
    groups = [[i for i, s in enumerate(scores) if s == score] for score in sorted(set(scores), reverse=True)]
    return [tuple(itertools.chain(*o)) for o in itertools.product(*(itertools.permutations(g) for g in groups))]


def by_ranx(orders: list[list[str]], relevant: dict[str, int], k: int) -> dict[str, float]:
    """The mean of ranx's metrics over lists that are free of ties."""
    run = {f"q{n}": {item: float(len(order) - p) for p, item in enumerate(order)} for n, order in enumerate(orders)}
    qrels = ranx.Qrels(dict.fromkeys(run, relevant))
    return ranx.evaluate(qrels, ranx.Run(run), [f"{name}@{k}" for name in RANX.values()], make_comparable=True)


@st.composite
def tied_lists(draw: st.DrawFn, most: int = 6) -> tuple[list[int], list[int], int, int]:
    """Gains and scores of a few items, relevant ones that are not shown, and a cutoff."""
    n = draw(st.integers(1, most))
    gains = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    scores = draw(st.lists(st.integers(0, 2), min_size=n, max_size=n))
    return gains, scores, draw(st.integers(int(not any(gains)), 3)), draw(st.integers(1, most + 1))


@settings(max_examples=60, deadline=None)
@given(tied_lists())
def test_a_tie_counts_as_the_mean_over_all_its_orders(case: tuple[list[int], list[int], int, int]) -> None:
    gains, scores, missed, k = case
    relevant = {i: float(g) for i, g in enumerate(gains) if g} | {100 + i: 1.0 for i in range(missed)}
    for metric in METRICS:
        orders = orders_of_ties(scores)
        each = [metric(k=k).measure(shown=order, relevant=relevant).value for order in orders]
        found = metric(k=k).measure(shown=range(len(gains)), relevant=relevant, scores=scores).value
        assert found == pytest.approx(np.mean(each), abs=1e-12), metric.name


@settings(max_examples=60, deadline=None)
@given(tied_lists(most=5))
def test_ranx_agrees_on_random_lists_with_ties_written_out(case: tuple[list[int], list[int], int, int]) -> None:
    gains, scores, missed, k = case
    relevant = {f"i{i}": g for i, g in enumerate(gains) if g} | {f"m{i}": 1 for i in range(missed)}
    expected = by_ranx([[f"i{i}" for i in order] for order in orders_of_ties(scores)], relevant, k)
    for metric, name in RANX.items():
        shown = [f"i{i}" for i in range(len(gains))]
        found = metric(k=k).measure(shown=shown, relevant=relevant, scores=scores).value
        assert found == pytest.approx(expected[f"{name}@{k}"], abs=1e-9), name


@settings(max_examples=200, deadline=None)
@given(tied_lists(most=12))
def test_scikit_learn_agrees_on_ndcg_of_random_lists_with_ties(case: tuple[list[int], list[int], int, int]) -> None:
    gains, scores, _, k = case
    if len(gains) < 2 or not any(gains):  # scikit-learn declines a list of one, and gives 0 without relevant items
        return
    expected = ndcg_score([gains], [scores], k=k, ignore_ties=False)
    found = NDCG(k=k).measure(shown=range(len(gains)), relevant=dict(enumerate(gains)), scores=scores).value
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_constant_scorer_scores_as_a_random_one(metric: type[Metric]) -> None:
    random, relevant, n = np.random.default_rng(7), {0: 1.0, 1: 3.0, 2: 1.0}, 20
    drawn = [metric(k=5).measure(shown=random.permutation(n), relevant=relevant).value for _ in range(4_000)]
    constant = metric(k=5).measure(shown=range(n), relevant=relevant, scores=np.zeros(n)).value
    assert constant == pytest.approx(np.mean(drawn), abs=4 * np.std(drawn) / np.sqrt(len(drawn)))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (NDCG(k=100), 0.922043),
        (NDCG(k=3), 0.798485),
        (MeanAveragePrecision(k=100), 0.755556),
        (MeanAveragePrecision(k=3), 0.555556),
        (MRR(k=100), 1.0),
        (Recall(k=3), 0.666667),
        (HitRate(k=1), 1.0),
    ],
    ids=lambda v: v.name if isinstance(v, Metric) else "",
)
def test_trec_eval_gives_the_same_for_a_list_without_ties(metric: Metric, expected: float) -> None:
    measured = metric.measure(shown=["d3", "d2", "d1", "d4", "d5"], relevant={"d1": 1, "d3": 2, "d5": 1})
    assert measured.value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("metric", "relevant", "items", "expected"),
    [
        (NDCG(k=5), {0: 1, 2: 2, 4: 1}, 5, 0.7533759875681859),
        (NDCG(k=3), {0: 1, 2: 2, 4: 1}, 5, 0.5444848454081608),
        (MRR(k=3), {1: 1}, 3, 0.611111111111111),
        (HitRate(k=1), {1: 1}, 3, 0.3333333333333333),
    ],
    ids=["ndcg", "ndcg_cut", "mrr", "hit_rate"],
)
def test_known_expectations_of_lists_that_are_one_tie(
    metric: Metric, relevant: dict[int, int], items: int, expected: float
) -> None:
    measured = metric.measure(shown=range(items), relevant=relevant, scores=np.ones(items))
    assert measured.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
def test_a_query_without_relevant_items_is_not_counted(metric: type[Metric]) -> None:
    assert metric(k=3).measure(shown=[1, 2], relevant={1: 0.0}).count == 0


@pytest.mark.parametrize("metric", METRICS)
def test_an_empty_slate_is_a_miss(metric: type[Metric]) -> None:
    assert metric(k=3).measure(shown=[], relevant={1}).value == 0.0


def test_unscored_items_stand_last_and_tie_with_each_other() -> None:
    judged = judge([1, 2, 3], {1: 1.0}, scores=[np.nan, 0.0, np.nan])
    assert judged.shown.tolist() == [2, 1, 3]
    assert judged.expected_hits.tolist() == [0.0, 0.5, 0.5]


def test_an_item_that_is_shown_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="shown twice"):
        judge([1, 1], {1})


def test_scores_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 items are shown with 1 scores"):
        judge([1, 2], {1}, scores=[0.5])
