"""Weights of sources that are chosen, on queries of which is known what each source is worth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.evaluation.merge_selection import FEWEST_USERS, choose
from remora.evaluation.source_ranks import SourceRanks

CUTOFFS = (5, 20)
LISTED = 30


def world(quality: dict[str, float], *, queries: int = 200, seed: int = 7) -> SourceRanks:
    """Every source lists the same 30 items of a query, one of which is the target: a source puts it among its first
    three with the probability ``quality``, each source by a chance of its own, and else anywhere."""
    draw = np.random.default_rng(seed)
    ranks = np.empty((queries, LISTED, len(quality)), np.float32)
    for query in range(queries):
        for column, good in enumerate(quality.values()):
            order = draw.permutation(LISTED)
            if draw.random() < good:
                at, to = int(np.flatnonzero(order == 0)[0]), int(draw.integers(3))
                order[[at, to]] = order[[to, at]]
            ranks[query, order, column] = np.arange(1, LISTED + 1)
    gains = np.zeros((queries, LISTED))
    gains[:, 0] = 1
    return SourceRanks(
        sources=tuple(quality),
        users=tuple(f"u{query}" for query in range(queries)),
        history=np.full(queries, 10),
        wanted=((1.0,),) * queries,
        query=np.repeat(np.arange(queries), LISTED),
        ranks=ranks.reshape(-1, len(quality)),
        gains=gains.reshape(-1),
    )


def test_a_source_of_chance_weighs_nothing_beside_one_that_knows() -> None:
    found = choose(world({"knows": 0.9, "chance": 0.0, "noise": 0.0}), CUTOFFS)
    assert found.weights == {"knows": 1.0, "chance": 0.0, "noise": 0.0}
    assert found.merged is not None
    assert found.alike is not None
    assert found.merged.ndcg > found.alike.ndcg + 0.05


def test_sources_that_know_different_things_are_merged() -> None:
    found = choose(world({"one": 0.6, "two": 0.6, "chance": 0.0}, queries=600), CUTOFFS)
    assert found.weights["one"] > 0
    assert found.weights["two"] > 0
    assert found.merged is not None
    assert found.merged.ndcg > max(one.ndcg for one in found.alone.values()) + 0.02


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.integers(0, 2**16))
def test_the_merge_is_never_below_the_best_source_where_it_was_chosen(quality: list[float], seed: int) -> None:
    named = {f"source_{index}": one for index, one in enumerate(quality)}
    found = choose(world(named, queries=40, seed=seed), CUTOFFS)
    scale = [max(getattr(one, name) for one in found.alone.values()) for name in ("ndcg", "recall")]

    def value(one: object) -> float:
        return sum(getattr(one, name) / of for name, of in zip(("ndcg", "recall"), scale, strict=True))

    assert value(found.merged) >= max(map(value, found.alone.values())) - 1e-9
    assert max(found.weights.values()) == 1.0


def test_the_measured_means_are_those_of_the_weights_that_are_given() -> None:
    ranks = world({"one": 0.5, "two": 0.3})
    found = choose(ranks, CUTOFFS)
    ndcg, recall = ranks.quality(np.array([found.weights["one"], found.weights["two"]]), CUTOFFS)
    assert found.merged is not None
    assert (found.merged.ndcg, found.merged.recall) == pytest.approx((ndcg.mean(), recall.mean()))


def test_too_few_users_choose_nothing() -> None:
    found = choose(world({"one": 0.9, "two": 0.1}, queries=FEWEST_USERS - 1), CUTOFFS)
    assert (found.weights, found.merged, found.users) == ({}, None, FEWEST_USERS - 1)
