"""Candidates keep their columns together, and fusion orders them the same everywhere."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remora.core.vocabulary import ItemCodes
from remora.pipeline import Candidates, Retrieved
from remora.pipeline.candidates import EMPTY, Floats, stack

lists = st.lists(st.lists(st.integers(0, 50), unique=True), min_size=1, max_size=4)


def found(rows: list[int]) -> Retrieved:
    return Retrieved(np.array(rows, np.int32), -np.arange(len(rows), dtype=np.float32))


@given(lists)
def test_fusion_is_the_sum_of_reciprocal_ranks_with_ties_broken_by_row(lists: list[list[int]]) -> None:
    merged = Candidates.merge([(str(s), found(rows)) for s, rows in enumerate(lists)])
    scores = {
        row: sum(1 / (61 + rows.index(row)) for rows in lists if row in rows)
        for row in {r for rows in lists for r in rows}
    }
    expected = sorted(scores, key=lambda row: (-round(scores[row], 12), row))
    assert merged.rows.tolist() == expected
    assert np.isnan(merged.scores).all()
    for position, row in enumerate(merged.rows.tolist()):
        assert merged.found_by(position) == tuple(str(s) for s, rows in enumerate(lists) if row in rows)
        for s, rows in enumerate(lists):
            rank = merged.source_ranks[position, s]
            assert np.isnan(rank) if row not in rows else rank == rows.index(row) + 1


@given(lists)
def test_what_a_source_says_of_items_that_others_found_is_a_score_without_a_rank(lists: list[list[int]]) -> None:
    def even(rows: ItemCodes) -> Floats:
        return np.where(rows % 2 == 0, rows, np.nan).astype(np.float32)

    merged = Candidates.merge([(str(s), found(rows)._replace(score_others=even)) for s, rows in enumerate(lists)])
    for place, row in enumerate(merged.rows.tolist()):
        for s, rows in enumerate(lists):
            expected = -rows.index(row) if row in rows else row if row % 2 == 0 else np.nan
            np.testing.assert_array_equal(merged.source_scores[place, s], np.float32(expected))
            assert np.isnan(merged.source_ranks[place, s]) == (row not in rows)


@given(lists)
def test_columns_stay_together_when_some_are_taken(lists: list[list[int]]) -> None:
    merged = Candidates.merge([(str(s), found(rows)) for s, rows in enumerate(lists)])
    order = np.random.default_rng(3).permutation(len(merged))
    taken = merged.take(order)
    by_row = {row: ranks.tolist() for row, ranks in zip(merged.rows.tolist(), merged.source_ranks, strict=True)}
    for row, ranks in zip(taken.rows.tolist(), taken.source_ranks, strict=True):
        np.testing.assert_array_equal(by_row[row], ranks)


def test_no_sources_and_empty_sources_give_no_candidates() -> None:
    assert len(Candidates.merge([])) == 0
    empty = Candidates.merge([("a", EMPTY)])
    assert len(empty) == 0
    assert empty.source_ranks.shape == (0, 1)


def test_equal_scores_keep_the_retrieval_order_and_the_unscored_come_last() -> None:
    candidates = Candidates.merge([("a", found([7, 3, 9, 1]))]).scored(np.array([1, np.nan, 2, 1], np.float32))
    assert candidates.by_score().rows.tolist() == [9, 7, 1, 3]


def test_stacking_gives_a_shared_source_one_column() -> None:
    both = stack(
        Candidates.merge([("a", found([1])), ("b", found([1, 2]))]),
        Candidates.merge([("b", found([5])), ("c", found([5]))]),
    )
    assert both.sources == ("a", "b", "c")
    assert both.rows.tolist() == [1, 2, 5]
    np.testing.assert_array_equal(both.source_ranks, [[1, 1, np.nan], [np.nan, 2, np.nan], [np.nan, 1, 1]])
    assert both.column("c") == 2
    assert both.column("d") is None
