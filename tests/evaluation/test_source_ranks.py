"""What sources find, held against replays of the same pipelines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation import toys

from remora.evaluation.metrics.ndcg import NDCG
from remora.evaluation.metrics.recall import Recall
from remora.evaluation.source_ranks import SourceRanks, SourceReplay, source_ranks_on_ray
from remora.pipeline import Candidates, Pipeline, Query, Retrieved
from remora.pipeline.merge_weights import MergeWeights

SOURCES = ("one", "two", "three")
CUTOFFS = (3, 6)


@dataclass(frozen=True)
class Shuffled:
    """Some of the items in an order of its own for each user."""

    seed: int

    def find(self, query: Query) -> Retrieved:
        draw = np.random.default_rng([self.seed, int(str(query.user_id)[1:])])
        rows = draw.permutation(toys.ITEMS)[: 3 + 2 * self.seed].astype(np.int32)
        return Retrieved(rows, np.ones(len(rows), np.float32))


class Historied:
    """Users have wanted as many items as their number says; the last is always the third of the catalogue."""

    def hydrate(self, query: Query) -> Query:
        number = int(str(query.user_id)[1:])
        history = np.arange(3 - number, 3, dtype=np.int32) if number < 3 else np.arange(3, dtype=np.int32)
        return replace(query, user_found=True, history=history)


def pipeline(weights: MergeWeights | None = None) -> Pipeline:
    sources = {name: Shuffled(seed) for seed, name in enumerate(SOURCES)}
    return Pipeline(hydrators={"user": Historied()}, sources=sources, merge=weights)


def source_replay(*, needs_item: bool = False) -> SourceReplay:
    return SourceReplay(
        vocabulary=toys.VOCABULARY,
        pipeline_at=lambda day: pipeline(),
        surface="home_feed",
        needs_item=needs_item,
    )


def as_judged_by_slates(pipeline: Pipeline, asked: pa.Table, ndcg: np.ndarray, recall: np.ndarray) -> None:
    rows = asked.sort_by([("instant", "ascending"), ("query_id", "ascending")]).to_pylist()
    for index, row in enumerate(rows):
        query = Query(request_id="", surface="home_feed", n=toys.ITEMS, instant=row["instant"], user_id=row["user_id"])
        shown = pipeline.run(query).candidates.rows
        wanted = dict(zip(toys.VOCABULARY.rows(row["targets"]).tolist(), row["weights"], strict=True))
        assert ndcg[index] == pytest.approx(NDCG(k=3).measure(shown=shown, relevant=wanted).value)
        assert recall[index] == pytest.approx(Recall(k=6).measure(shown=shown, relevant=wanted).value)


@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), min_size=3, max_size=3).filter(any))
def test_its_metrics_are_those_of_the_slates_that_the_weighed_pipeline_gives(weights: Sequence[float]) -> None:
    asked = toys.queries()
    ndcg, recall = source_replay().run(asked).quality(np.array(weights), CUTOFFS)
    weighed = pipeline(MergeWeights(others=dict(zip(SOURCES, weights, strict=True))))
    as_judged_by_slates(weighed, asked, ndcg, recall)


def test_days_may_be_asked_apart_and_on_ray(ray_cluster: None) -> None:
    asked = toys.queries()
    whole, parts = source_replay().run(asked), source_ranks_on_ray(source_replay(), asked, tasks=3)
    assert (whole.users, whole.wanted) == (parts.users, parts.wanted)
    for name in ("history", "query", "ranks", "gains"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_some_queries_are_measured_as_among_all() -> None:
    found, weights = source_replay().run(toys.queries()), np.array([1.0, 0.2, 0.5])
    keep = found.history > 1
    part: SourceRanks = found.where(keep)
    for whole, own in zip(found.quality(weights, CUTOFFS), part.quality(weights, CUTOFFS), strict=True):
        np.testing.assert_array_equal(whole[keep], own)


def test_a_surface_about_an_item_is_asked_about_the_last_and_not_for_users_without_one() -> None:
    seen: list[int | None] = []

    class Noting:
        def find(self, query: Query) -> Retrieved:
            seen.append(query.seed_item)
            return Retrieved(np.array([1], np.int32), np.ones(1, np.float32))

    def at(day: datetime) -> Pipeline:
        return Pipeline(hydrators={"user": Historied()}, sources={"noting": Noting()})

    asked = toys.queries(days=1, users=[0, 1, 2])
    found = replace(source_replay(needs_item=True), pipeline_at=at).run(asked)
    assert found.users == ("u1", "u2")
    assert seen == [2, 2]


def test_what_the_backfill_alone_would_show_is_no_find_of_a_source() -> None:
    class Nothing:
        def find(self, query: Query) -> Retrieved:
            return Retrieved(np.empty(0, np.int32), np.empty(0, np.float32))

    def at(day: datetime) -> Pipeline:
        return Pipeline(sources={"nothing": Nothing()}, backfill=toys.Everything())

    found = replace(source_replay(), pipeline_at=at).run(toys.queries())
    assert len(found.ranks) == 0
    ndcg, recall = found.quality(np.ones(1), CUTOFFS)
    assert len(ndcg) == len(recall) == 40
    assert not ndcg.any()
    assert not recall.any()


def test_without_a_query_there_is_nothing(ray_cluster: None) -> None:
    assert len(source_ranks_on_ray(source_replay(), toys.queries().slice(0, 0), tasks=2)) == 0


def test_weights_of_zero_put_a_source_behind_all_others() -> None:
    one = Retrieved(np.array([5, 1], np.int32), np.ones(2, np.float32))
    two = Retrieved(np.array([7, 1], np.int32), np.ones(2, np.float32))
    merged = Candidates.merge([("one", one), ("two", two)], np.array([0.0, 1.0]))
    assert merged.rows.tolist() == [7, 1, 5]


def test_a_source_alone_has_what_it_found_in_its_own_order() -> None:
    asked = toys.queries()
    ndcg, recall = source_replay().run(asked).alone("two").quality(np.array([0.0, 1.0, 0.0]), CUTOFFS)
    single = Pipeline(hydrators={"user": Historied()}, sources={"two": Shuffled(1)})
    as_judged_by_slates(single, asked, ndcg, recall)
