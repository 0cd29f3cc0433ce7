"""What every stage promises; the tests of an implementation inherit one of these and say how it is made.

A subclass gives the fixture ``stage`` and, where it needs other queries or candidates, overrides ``query`` and
``candidates``.
"""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import numpy as np
import pytest

from remora.pipeline import Candidates, Filter, Query, Reranker, Retrieved, Scorer, Source

N_ITEMS = 40


def some_query(**changes: object) -> Query:
    """A query at a fixed instant."""
    values: dict = {"request_id": "r", "surface": "home_feed", "n": 10, "instant": datetime(2026, 1, 1, tzinfo=UTC)}
    return Query(**(values | changes))


def some_candidates(n: int = 30, seed: int = 0, unscored: int = 0) -> Candidates:
    """n candidates among N_ITEMS rows, best score first, the last ``unscored`` of them without a score."""
    random = np.random.default_rng(seed)
    rows = random.permutation(N_ITEMS)[:n].astype(np.int32)
    scores = np.sort(random.normal(size=n).astype(np.float32))[::-1].copy()
    scores[n - unscored :] = np.nan
    return Candidates.merge([("one", Retrieved(rows, np.ones(n, np.float32)))]).scored(scores)


class StageContract:
    """Of all stages."""

    @pytest.fixture
    def query(self) -> Query:
        return some_query(
            user_found=True, history=np.array([3, 5, 7], np.int32), seen=np.array([3, 5, 7, 9], np.int32), seed_item=4
        )

    @pytest.fixture
    def candidates(self) -> Candidates:
        return some_candidates()

    def test_it_crosses_process_borders(self, stage: object) -> None:
        assert type(pickle.loads(pickle.dumps(stage))) is type(stage)


class SourceContract(StageContract):
    """Of sources: rows without repeats, best first."""

    def test_rows_and_scores_are_columns_of_the_declared_types(self, stage: Source, query: Query) -> None:
        found = stage.find(query)
        assert found.rows.dtype == np.int32
        assert found.scores.dtype == np.float32
        assert found.rows.shape == found.scores.shape == (len(found.rows),)

    def test_no_item_is_found_twice(self, stage: Source, query: Query) -> None:
        rows = stage.find(query).rows
        assert len(np.unique(rows)) == len(rows)

    def test_the_best_comes_first(self, stage: Source, query: Query) -> None:
        assert (np.diff(stage.find(query).scores) <= 0).all()

    def test_the_same_query_finds_the_same_items(self, stage: Source, query: Query) -> None:
        first, second = stage.find(query), stage.find(query)
        np.testing.assert_array_equal(first.rows, second.rows)
        np.testing.assert_array_equal(first.scores, second.scores)


class FilterContract(StageContract):
    """Of filters: one answer a candidate, whatever stands beside it."""

    def test_the_mask_has_one_answer_for_each_candidate(
        self, stage: Filter, query: Query, candidates: Candidates
    ) -> None:
        mask = stage.allowed(query, candidates)
        assert mask.dtype == np.bool_
        assert mask.shape == (len(candidates),)

    def test_no_candidates_give_an_empty_mask(self, stage: Filter, query: Query, candidates: Candidates) -> None:
        assert stage.allowed(query, candidates.take(np.arange(0))).shape == (0,)

    def test_the_order_of_the_candidates_does_not_matter(
        self, stage: Filter, query: Query, candidates: Candidates
    ) -> None:
        order = np.random.default_rng(1).permutation(len(candidates))
        shuffled = stage.allowed(query, candidates.take(order))
        np.testing.assert_array_equal(shuffled, stage.allowed(query, candidates)[order])


class ScorerContract(StageContract):
    """Of scorers: one score a candidate, whatever stands beside it."""

    def test_there_is_one_score_for_each_candidate(self, stage: Scorer, query: Query, candidates: Candidates) -> None:
        scores = stage.score(query, candidates)
        assert scores.shape == (len(candidates),)
        assert not np.isinf(scores).any()

    def test_the_order_of_the_candidates_does_not_matter(
        self, stage: Scorer, query: Query, candidates: Candidates
    ) -> None:
        order = np.random.default_rng(1).permutation(len(candidates))
        np.testing.assert_array_equal(stage.score(query, candidates.take(order)), stage.score(query, candidates)[order])


class RerankerContract(StageContract):
    """Of rerankers: a permutation in which no unscored candidate stands above a scored one."""

    @pytest.mark.parametrize("n", [0, 1, 2, 30])
    def test_the_order_is_a_permutation(self, stage: Reranker, query: Query, n: int) -> None:
        order = stage.rerank(query, some_candidates(n))
        assert sorted(order.tolist()) == list(range(n))

    @pytest.mark.parametrize("unscored", [1, 10, 30])
    def test_an_unscored_candidate_never_rises_above_a_scored_one(
        self, stage: Reranker, query: Query, unscored: int
    ) -> None:
        candidates = some_candidates(30, unscored=unscored)
        shown = np.isnan(candidates.scores[stage.rerank(query, candidates)])
        assert (np.diff(shown.astype(int)) >= 0).all()
