"""Agreement of the sources as a score."""

from __future__ import annotations

import numpy as np
import pytest
from tests.pipeline.stages_of_rules import AlsoListed, Everything, Listed

from remora.pipeline import Candidates, Pipeline, Retrieved, Scorer
from remora.pipeline.merge_weights import MergeWeights
from remora.pipeline.runner import named
from remora.policies.scorers.reciprocal_rank_fusion import ReciprocalRankFusion
from remora.testing.stages import ScorerContract, some_query


class TestReciprocalRankFusion(ScorerContract):
    @pytest.fixture
    def stage(self) -> Scorer:
        return ReciprocalRankFusion()


def test_the_score_is_the_sum_of_reciprocal_ranks() -> None:
    found = [("a", Retrieved(np.array([4, 2], np.int32), np.ones(2, np.float32)))]
    found += [("b", Retrieved(np.array([2], np.int32), np.ones(1, np.float32)))]
    candidates = Candidates.merge(found)
    scores = dict(
        zip(candidates.rows.tolist(), ReciprocalRankFusion().score(some_query(), candidates).tolist(), strict=True)
    )
    assert scores == pytest.approx({2: 1 / 62 + 1 / 61, 4: 1 / 61})


def test_scoring_by_reciprocal_rank_fusion_keeps_the_retrieval_order_and_the_backfill_behind_it() -> None:
    sources = named(Listed((7, 3, 9)), AlsoListed((9, 1)))
    plain = Pipeline(sources=sources, backfill=Everything(12)).run(some_query())
    ranked = Pipeline(sources=sources, scorer=ReciprocalRankFusion(), backfill=Everything(12)).run(some_query())
    assert ranked.candidates.rows.tolist() == plain.candidates.rows.tolist()
    assert np.isnan(ranked.candidates.scores).tolist() == [False] * 4 + [True] * 6


def test_what_a_source_of_weight_zero_found_is_scored_zero_and_stands_before_the_backfill() -> None:
    sources, merge = named(Listed((7, 3, 9)), AlsoListed((9, 1))), MergeWeights(others={"listed": 0.0})
    scorer = ReciprocalRankFusion(merge)
    slate = Pipeline(sources=sources, scorer=scorer, backfill=Everything(12), merge=merge).run(some_query())
    assert slate.candidates.rows[:4].tolist() == [9, 1, 7, 3]
    assert slate.candidates.scores[:4].tolist() == pytest.approx([1 / 61, 1 / 62, 0, 0])
    assert np.isnan(slate.candidates.scores[4:]).all()
