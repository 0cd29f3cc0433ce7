"""What every stage of a request promises: a test inherits the contract of its kind and says how the stage is made.

A subclass gives the fixture ``stage`` and, where it needs other queries or candidates, overrides the fixtures ``query``
and ``candidates``. Needs pytest.
"""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from remora.pipeline import Candidates, Filter, Hydrator, Query, Reranker, Retrieved, Scorer, Source

__all__ = [
    "N_ITEMS",
    "FilterContract",
    "HydratorContract",
    "RerankerContract",
    "ScorerContract",
    "SourceContract",
    "StageContract",
    "some_candidates",
    "some_query",
]

N_ITEMS = 40
"""Rows of the items that :func:`some_candidates` draws from, and that a stage under test has to know."""


def some_query(**changes: Any) -> Query:
    """A query at a fixed instant, for ten items; ``changes`` are fields of :class:`~remora.pipeline.Query`."""
    values: dict[str, Any] = {"request_id": "r", "surface": "home_feed", "n": 10}
    return Query(**({"instant": datetime(2026, 1, 1, tzinfo=UTC)} | values | changes))


def some_candidates(n: int = 30, seed: int = 0, unscored: int = 0) -> Candidates:
    """``n`` candidates among 40 items, best score first, the last ``unscored`` of them without a score."""
    random = np.random.default_rng(seed)
    rows = random.permutation(N_ITEMS)[:n].astype(np.int32)
    scores = np.sort(random.normal(size=n).astype(np.float32))[::-1].copy()
    scores[n - unscored :] = np.nan
    return Candidates.merge([("one", Retrieved(rows, np.ones(n, np.float32)))]).scored(scores)


class StageContract:
    """Of all stages."""

    @pytest.fixture
    def query(self) -> Query:
        """Of a user with a history, on the page of an item."""
        return some_query(
            user_found=True, history=np.array([3, 5, 7], np.int32), seen=np.array([3, 5, 7, 9], np.int32), seed_item=4
        )

    @pytest.fixture
    def candidates(self) -> Candidates:
        """Thirty, all scored."""
        return some_candidates()

    def test_it_crosses_process_borders(self, stage: object) -> None:
        """Replicas of a server are processes."""
        assert type(pickle.loads(pickle.dumps(stage))) is type(stage)


class HydratorContract(StageContract):
    """Of hydrators: more is known of the user, and the request is what it was."""

    def test_what_was_asked_stays(self, stage: Hydrator, query: Query) -> None:
        """Who asks, for how many items of which surface, without which items, and until when."""
        found = stage.hydrate(query)
        for name in ("request_id", "surface", "n", "instant", "user_id", "seed_item"):
            assert getattr(found, name) == getattr(query, name)
        assert found.exclude.tolist() == query.exclude.tolist()
        assert (found.retrieval_deadline, found.ranking_deadline) == (query.retrieval_deadline, query.ranking_deadline)

    def test_histories_are_rows_of_items(self, stage: Hydrator, query: Query) -> None:
        """int32, of shape (n,)."""
        found = stage.hydrate(query)
        for rows in (found.history, found.seen):
            assert rows.dtype == np.int32
            assert rows.ndim == 1

    def test_the_query_is_not_changed_in_place(self, stage: Hydrator, query: Query) -> None:
        """Others may hold it: a cache, another system of an evaluation."""
        before = _known(query)
        stage.hydrate(query)
        assert _known(query) == before

    def test_the_same_query_gets_the_same_answer(self, stage: Hydrator, query: Query) -> None:
        """A replay repeats what was served."""
        assert _known(stage.hydrate(query)) == _known(stage.hydrate(query))


class SourceContract(StageContract):
    """Of sources: rows without repeats, best first."""

    def test_rows_and_scores_are_columns_of_the_declared_types(self, stage: Source, query: Query) -> None:
        """Rows int32, scores float32, both of shape (n,)."""
        found = stage.find(query)
        assert found.rows.dtype == np.int32
        assert found.scores.dtype == np.float32
        assert found.rows.shape == found.scores.shape == (len(found.rows),)

    def test_no_item_is_found_twice(self, stage: Source, query: Query) -> None:
        """An item has one rank in a source."""
        rows = stage.find(query).rows
        assert len(np.unique(rows)) == len(rows)

    def test_the_best_comes_first(self, stage: Source, query: Query) -> None:
        """The order is what the merge of the sources reads."""
        assert (np.diff(stage.find(query).scores) <= 0).all()

    def test_the_same_query_finds_the_same_items(self, stage: Source, query: Query) -> None:
        """A replay repeats what was served."""
        first, second = stage.find(query), stage.find(query)
        np.testing.assert_array_equal(first.rows, second.rows)
        np.testing.assert_array_equal(first.scores, second.scores)


class FilterContract(StageContract):
    """Of filters: one answer a candidate, whatever stands beside it."""

    def test_the_mask_has_one_answer_for_each_candidate(
        self, stage: Filter, query: Query, candidates: Candidates
    ) -> None:
        """Booleans of shape (n,)."""
        mask = stage.allowed(query, candidates)
        assert mask.dtype == np.bool_
        assert mask.shape == (len(candidates),)

    def test_no_candidates_give_an_empty_mask(self, stage: Filter, query: Query, candidates: Candidates) -> None:
        """Of shape (0,)."""
        assert stage.allowed(query, candidates.take(np.arange(0))).shape == (0,)

    def test_the_order_of_the_candidates_does_not_matter(
        self, stage: Filter, query: Query, candidates: Candidates
    ) -> None:
        """The answer is about the item and the query."""
        order = np.random.default_rng(1).permutation(len(candidates))
        shuffled = stage.allowed(query, candidates.take(order))
        np.testing.assert_array_equal(shuffled, stage.allowed(query, candidates)[order])


class ScorerContract(StageContract):
    """Of scorers: one score a candidate, whatever stands beside it."""

    def test_there_is_one_score_for_each_candidate(self, stage: Scorer, query: Query, candidates: Candidates) -> None:
        """Of shape (n,); NaN where it cannot tell, never infinite."""
        scores = stage.score(query, candidates)
        assert scores.shape == (len(candidates),)
        assert not np.isinf(scores).any()

    def test_the_order_of_the_candidates_does_not_matter(
        self, stage: Scorer, query: Query, candidates: Candidates
    ) -> None:
        """The score is about the item and the query."""
        order = np.random.default_rng(1).permutation(len(candidates))
        np.testing.assert_array_equal(stage.score(query, candidates.take(order)), stage.score(query, candidates)[order])


class RerankerContract(StageContract):
    """Of rerankers: a permutation in which no unscored candidate stands above a scored one."""

    @pytest.mark.parametrize("n", [0, 1, 2, 30])
    def test_the_order_is_a_permutation(self, stage: Reranker, query: Query, n: int) -> None:
        """No candidate is lost, and none is shown twice."""
        order = stage.rerank(query, some_candidates(n))
        assert sorted(order.tolist()) == list(range(n))

    @pytest.mark.parametrize("unscored", [1, 10, 30])
    def test_an_unscored_candidate_never_rises_above_a_scored_one(
        self, stage: Reranker, query: Query, unscored: int
    ) -> None:
        """What was not scored for lack of time is no better than what was."""
        candidates = some_candidates(30, unscored=unscored)
        shown = np.isnan(candidates.scores[stage.rerank(query, candidates)])
        assert (np.diff(shown.astype(int)) >= 0).all()


def _known(query: Query) -> tuple[Any, ...]:
    """What is known of the user, as values that can be compared."""
    user = {name: np.asarray(value).tolist() for name, value in query.user.items()}
    return query.user_found, query.history.tolist(), query.seen.tolist(), user, dict(query.context)
