"""The runner keeps its promises for any stages: nothing forbidden, nothing twice, never short, nothing hidden."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.stages_of_rules import (
    AlsoListed,
    AlsoSeen,
    Asleep,
    Broken,
    ByTable,
    Everything,
    Forbidden,
    Listed,
    NotSeen,
    Predicting,
    Reversed,
)

from remora.pipeline import Degradation, Pipeline, Query, Slate
from remora.pipeline.deadline import NEVER, Deadline
from remora.pipeline.runner import BACKFILL, RETRIEVAL_ORDER, named, stage_name
from remora.testing.stages import some_query

N_ITEMS = 24
OVER = Deadline.after(-1.0)
rows = st.lists(st.integers(0, N_ITEMS - 1), unique=True).map(tuple)
scores = st.lists(st.one_of(st.just(float("nan")), st.floats(-5, 5, width=32)), min_size=N_ITEMS, max_size=N_ITEMS).map(
    tuple
)


def shown(slate: Slate) -> list[int]:
    return slate.candidates.rows.tolist()


@given(first=rows, second=rows, hidden=rows, seen=rows, exclude=rows, table=scores, n=st.integers(1, N_ITEMS + 3))
def test_a_slate_holds_what_may_be_shown_best_first_and_is_short_only_when_nothing_is_left(
    first: tuple, second: tuple, hidden: tuple, seen: tuple, exclude: tuple, table: tuple, n: int
) -> None:
    pipeline = Pipeline(
        sources=named(Listed(first), AlsoListed(second)),
        filters=named(NotSeen(), Forbidden(hidden)),
        scorer=ByTable(table),
        backfill=Everything(N_ITEMS),
    )
    query = some_query(n=n, seen=np.array(seen, np.int32), exclude=np.array(exclude, np.int32))
    slate = pipeline.run(query)
    eligible = set(range(N_ITEMS)) - set(hidden) - set(seen) - set(exclude)

    assert len(shown(slate)) == min(n, len(eligible))
    assert set(shown(slate)) <= eligible
    assert len(set(shown(slate))) == len(shown(slate))
    got = slate.candidates.scores
    assert (np.diff(np.isnan(got).astype(int)) >= 0).all(), "an unscored item stands above a scored one"
    assert (np.diff(got[~np.isnan(got)]) <= 0).all()
    assert slate.degraded == ()


@given(first=rows, second=rows, hidden=rows, table=scores, n=st.integers(1, N_ITEMS))
def test_a_slate_is_the_best_of_the_allowed_candidates(
    first: tuple, second: tuple, hidden: tuple, table: tuple, n: int
) -> None:
    pipeline = Pipeline(
        sources=named(Listed(first), AlsoListed(second)), filters=named(Forbidden(hidden)), scorer=ByTable(table)
    )
    slate = pipeline.run(some_query(n=n))
    allowed = (set(first) | set(second)) - set(hidden)
    rank = {row: sum(1 / (61 + found.index(row)) for found in (first, second) if row in found) for row in allowed}
    best = sorted(allowed, key=lambda r: (np.isnan(table[r]), -table[r] if table[r] == table[r] else 0, -rank[r], r))
    assert shown(slate) == best[:n]


@given(first=rows, hidden=rows, table=scores, n=st.integers(1, N_ITEMS))
def test_phases_that_are_pickled_between_processes_give_the_slate_of_one_run(
    first: tuple, hidden: tuple, table: tuple, n: int
) -> None:
    pipeline = Pipeline(
        sources=named(Listed(first), Asleep()),
        filters=named(Forbidden(hidden)),
        scorer=ByTable(table),
        rerankers=named(Reversed()),
        backfill=Everything(N_ITEMS),
    )
    query = some_query(n=n)
    state = pickle.loads(pickle.dumps(pipeline.hydrate(query)))
    state = pickle.loads(pickle.dumps(pipeline.retrieve(state)))
    state = pickle.loads(pickle.dumps(pipeline.filter(state)))
    apart, whole = pipeline.rank(state), pipeline.run(query)
    assert shown(apart) == shown(whole)
    np.testing.assert_array_equal(apart.candidates.scores, whole.candidates.scores)
    np.testing.assert_array_equal(apart.candidates.source_ranks, whole.candidates.source_ranks)
    assert apart.degraded == whole.degraded
    assert apart.counts == whole.counts
    assert apart.timings_ms.keys() == whole.timings_ms.keys()


@pytest.mark.parametrize(
    "with_stage",
    [
        lambda stage: Pipeline(hydrators=named(stage), sources=named(Listed((1, 2)))),
        lambda stage: Pipeline(sources=named(Listed((1, 2)), stage)),
        lambda stage: Pipeline(sources=named(Listed((1, 2))), filters=named(stage)),
        lambda stage: Pipeline(sources=named(Listed((1, 2))), scorer=stage),
        lambda stage: Pipeline(sources=named(Listed((1, 2))), rerankers=named(stage)),
        lambda stage: Pipeline(sources=named(Listed((1, 2))), backfill=stage),
    ],
    ids=["hydrator", "source", "filter", "scorer", "reranker", "backfill"],
)
class TestAnyStage:
    def test_that_is_not_ready_is_skipped_and_named(self, with_stage: Callable[[object], Pipeline]) -> None:
        slate = with_stage(Asleep()).run(some_query())
        assert shown(slate) == [1, 2]
        assert slate.degraded[0].endswith(": the index is not loaded")

    def test_with_a_bug_is_not_survived(self, with_stage: Callable[[object], Pipeline]) -> None:
        with pytest.raises(ZeroDivisionError):
            with_stage(Broken()).run(some_query())


def test_without_scores_the_retrieval_order_stands_and_the_response_says_so() -> None:
    slate = Pipeline(sources=named(Listed((5, 2, 9))), scorer=Asleep()).run(some_query())
    assert shown(slate) == [5, 2, 9]
    assert np.isnan(slate.candidates.scores).all()
    assert slate.degraded == ("asleep: the index is not loaded", RETRIEVAL_ORDER)


def test_when_time_is_spent_only_the_filters_and_the_backfill_are_asked() -> None:
    pipeline = Pipeline(
        sources=named(Listed((5,))),
        filters=named(Forbidden((0,))),
        scorer=ByTable((0.0,) * N_ITEMS),
        backfill=Everything(N_ITEMS),
    )
    slate = pipeline.run(some_query(n=3, retrieval_deadline=OVER, ranking_deadline=OVER))
    assert shown(slate) == [1, 2, 3]
    assert [reason.split(":")[0] for reason in slate.degraded] == ["listed", "by_table", RETRIEVAL_ORDER]
    assert pipeline.run(some_query(n=3)).degraded == ()


def test_the_time_of_the_sources_is_not_that_of_the_scorer() -> None:
    pipeline = Pipeline(sources=named(Listed((5, 2))), scorer=ByTable(tuple(map(float, range(N_ITEMS)))))
    far = Deadline.after(3_600)
    late_scorer = pipeline.run(some_query(n=2, retrieval_deadline=far, ranking_deadline=OVER))
    assert (shown(late_scorer), late_scorer.degraded[-1]) == ([5, 2], RETRIEVAL_ORDER)
    late_sources = pipeline.run(some_query(n=2, retrieval_deadline=OVER, ranking_deadline=far))
    assert late_sources.degraded == ("listed: skipped, the request's time is spent",)


def test_hydrators_are_asked_one_after_another_whatever_time_is_left_because_filters_read_what_they_find() -> None:
    pipeline = Pipeline(
        hydrators={"first": AlsoSeen((1,)), "out": Asleep(), "second": AlsoSeen((2, 3))},
        sources={},
        filters=named(NotSeen()),
        backfill=Everything(N_ITEMS),
    )
    slate = pipeline.run(some_query(n=3, retrieval_deadline=OVER, ranking_deadline=OVER))
    assert shown(slate) == [0, 4, 5]
    assert slate.degraded == ("out: the index is not loaded",)
    assert list(slate.timings_ms)[:3] == ["first", "out", "second"]


def test_a_stage_that_gives_a_reason_a_code_is_named_by_that() -> None:
    class Closed:
        def hydrate(self, query: Query) -> Query:
            raise Degradation("user_store", "it is out: for a while")

    slate = Pipeline(hydrators={"user": Closed()}, sources=named(Listed((1,)))).run(some_query())
    assert slate.degraded == ("user_store: it is out: for a while",)
    assert slate.codes == {"user_store"}


def test_a_long_backfill_is_read_only_as_far_as_it_is_needed() -> None:
    far = Pipeline(sources={}, filters=named(Forbidden(tuple(range(5_000)))), backfill=Everything(20_000))
    slate = far.run(some_query(n=4))
    assert shown(slate) == [5_000, 5_001, 5_002, 5_003]
    assert slate.candidates.source_ranks[:, 0].tolist() == [5_001, 5_002, 5_003, 5_004]
    assert slate.counts[BACKFILL] == 4


def test_backfilled_items_are_scored_like_all_others() -> None:
    table = tuple(float(row) for row in range(N_ITEMS))
    slate = Pipeline(sources=named(Listed((3,))), scorer=ByTable(table), backfill=Everything(N_ITEMS)).run(
        some_query(n=3)
    )
    assert shown(slate) == [3, 1, 0]
    assert slate.candidates.found_by(1) == (BACKFILL,)


def test_every_stage_is_timed_and_counted_under_its_name() -> None:
    slate = Pipeline(
        sources=named(Listed((1, 2, 3)), AlsoListed((3, 4))), filters=named(Forbidden((1,))), scorer=ByTable((0.0,) * 9)
    ).run(some_query(n=2))
    assert slate.timings_ms.keys() == {"listed", "also_listed", "merge", "forbidden", "by_table"}
    assert slate.counts == {
        "listed": 3,
        "also_listed": 2,
        "retrieved": 4,
        "forbidden": 3,
        "allowed": 3,
        "shown": 2,
    }


def test_two_stages_of_one_name_are_refused_because_their_columns_would_mix() -> None:
    with pytest.raises(ValueError, match="listed"):
        named(Listed((1,)), Listed((2,)))
    with pytest.raises(ValueError, match="called mine"):
        Pipeline(sources={"mine": Listed((1,))}, filters={"mine": Forbidden((1,))})


def test_a_stage_is_known_by_its_class_in_snake_case() -> None:
    assert stage_name(AlsoListed(())) == "also_listed"


@given(found=rows, n=st.integers(1, N_ITEMS), log=st.booleans(), over=st.booleans())
def test_a_slate_has_what_was_predicted_and_read_of_its_items_in_their_order(
    found: tuple, n: int, log: bool, over: bool
) -> None:
    pipeline = Pipeline(sources=named(Listed(found)), scorer=Predicting(), rerankers=named(Reversed()))
    query = some_query(n=n, log_features=log, ranking_deadline=OVER if over else NEVER)
    slate = pickle.loads(pickle.dumps(pipeline.run(query)))
    if over or not found:
        assert (dict(slate.predictions), slate.features) == ({}, None)
        return
    assert slate.predictions["row"].tolist() == shown(slate)
    if not log:
        assert slate.features is None
        return
    assert slate.features.instant == query.instant
    assert slate.features.values.tolist() == [[row, row**2] for row in shown(slate)]
