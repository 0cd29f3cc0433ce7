from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from tests.evaluation import toys

from remora.evaluation.accumulator import Column, ReplaySums
from remora.evaluation.metrics import NDCG, Recall
from remora.evaluation.replay import Replay, ReplayState
from remora.evaluation.segments import ALL, HEAVY_USERS, NEW_ITEMS, NEW_USERS
from remora.evaluation.systems import systems
from remora.pipeline import Pipeline, Query, Retrieved
from remora.pipeline.runner import named


def same(a: ReplaySums, b: ReplaySums) -> None:
    assert a.users == b.users
    assert set(a.columns) == set(b.columns)
    order = [b.columns.index(column) for column in a.columns]
    np.testing.assert_allclose(a.totals, b.totals[:, order], rtol=1e-12)
    np.testing.assert_array_equal(a.counts, b.counts[:, order])
    assert {c: v.rows.tolist() for c, v in a.covered.items()} == {c: v.rows.tolist() for c, v in b.covered.items()}
    assert (dict(a.queries), dict(a.degraded)) == (dict(b.queries), dict(b.degraded))


def test_the_mean_of_a_column_is_the_mean_of_its_metric_over_the_slates() -> None:
    asked = toys.queries()
    sums = toys.replay().run(asked)
    each = []
    for row in asked.to_pylist():
        parity = int(row["user_id"][1:]) % 2
        shown = [*range(parity, toys.ITEMS, 2), *range(1 - parity, toys.ITEMS, 2)][:5]
        relevant = dict(zip(toys.VOCABULARY.rows(row["targets"]).tolist(), row["weights"], strict=True))
        each.append(NDCG(k=2).measure(shown=shown, relevant=relevant).value)
    found = sums.mean(Column("surface", "ndcg", 2, ALL))
    assert found.count == 40
    assert found.value == pytest.approx(np.mean(each))


def test_a_system_that_knows_its_users_beats_one_that_does_not() -> None:
    sums = toys.replay().run(toys.queries())
    surface, popularity = (sums.mean(Column(s, "recall", 5, ALL)).value for s in ("surface", "popularity"))
    assert surface > 1.5 * popularity


def test_segments_count_users_by_their_past_and_items_by_theirs() -> None:
    sums = toys.replay().run(toys.queries())
    assert sums.queries[ALL] == 40
    assert sums.queries[NEW_USERS] == 10  # nobody has a history on the first day
    assert sums.queries[HEAVY_USERS] == 20  # 12 and 18 events on the last two
    assert 10 <= sums.queries[NEW_ITEMS] < 40
    assert sums.mean(Column("surface", "ndcg", 2, NEW_USERS)).count == 10
    assert sums.mean(Column("surface", "ndcg", 2, NEW_ITEMS)).count == sums.queries[NEW_ITEMS]
    assert not any(c.segment == NEW_ITEMS and c.metric == "novelty" for c in sums.columns)


def test_only_new_items_are_relevant_in_the_segment_of_new_items() -> None:
    day = toys.queries(days=1, users=[0]).to_pylist()[0]
    asked = pa.Table.from_pylist([day | {"targets": ["item-00", "item-10"], "weights": [1.0, 1.0]}])
    counts = np.array([100] + [0] * (toys.ITEMS - 1))

    def moment(day: datetime) -> ReplayState:
        popularity = Pipeline(hydrators=named(toys.Parities()), sources=named(toys.Everything()))
        return ReplayState(pipelines={"popularity": popularity}, item_events=counts)

    sums = Replay(
        vocabulary=toys.VOCABULARY,
        moment_at=moment,
        metrics=(Recall(k=5),),
        settings=toys.SETTINGS,
    ).run(asked)
    assert sums.mean(Column("popularity", "recall", 5, ALL)).value == 0.5
    assert sums.mean(Column("popularity", "recall", 5, NEW_ITEMS)).value == 0.0


def test_an_item_that_no_vocabulary_knows_is_a_miss() -> None:
    row = toys.queries(days=1, users=[0]).to_pylist()[0]
    asked = pa.Table.from_pylist([row | {"targets": ["item-00", "nobody knows it"], "weights": [1.0, 1.0]}])
    sums = toys.replay().run(asked)
    assert sums.mean(Column("surface", "recall", 5, ALL)).value == 0.5
    assert sums.mean(Column("surface", "popularity_bias", 5, ALL)).count == 1


def test_slates_that_a_stage_was_missing_from_are_counted() -> None:
    assert toys.replay().run(toys.queries()).degraded == Counter(surface=40, popularity=0)


def test_the_systems_are_made_once_a_day_in_order_of_time() -> None:
    asked_of: list[datetime] = []

    def moment(day: datetime) -> ReplayState:
        asked_of.append(day)
        return toys.Days()(day)

    replay = toys.replay()
    shuffled = toys.queries().take(np.random.default_rng(1).permutation(40))
    counting = Replay(
        vocabulary=replay.vocabulary,
        moment_at=moment,
        metrics=replay.metrics,
        settings=replay.settings,
    )
    same(counting.run(shuffled), replay.run(toys.queries()))
    assert asked_of == [toys.START + timedelta(days=n) for n in range(4)]


def test_sums_of_parts_add_up_to_the_sums_of_the_whole() -> None:
    asked, replay = toys.queries(), toys.replay()
    first, second, third = (replay.run(asked.slice(a, n)) for a, n in ((0, 13), (13, 20), (33, 7)))
    whole = replay.run(asked)
    same((first + second) + third, whole)
    same(first + (second + third), whole)


def test_a_replay_of_no_queries_has_empty_sums() -> None:
    empty = toys.replay().run(toys.queries().slice(0, 0))
    assert empty.users == ()
    same(empty + toys.replay().run(toys.queries(days=1)), toys.replay().run(toys.queries(days=1)))


def test_the_systems_of_the_report_are_the_surface_with_stages_taken_away() -> None:
    co_visited = type("CoVisited", (toys.Everything,), {})()
    surface = Pipeline(
        sources=named(toys.Everything(), co_visited), scorer=toys.KnowsParity(), backfill=toys.Everything()
    )
    made = systems(surface)
    apart = ["without everything", "without co_visited", "only everything"]
    assert list(made) == ["popularity", "co_visitation", "retrieval", "surface", *apart]
    assert made["popularity"].sources == {}
    assert [one.source for one in made["co_visitation"].sources.values()] == [co_visited]
    assert {name: one.source for name, one in made["retrieval"].sources.items()} == surface.sources
    assert [list(made[name].sources) for name in apart] == [["co_visited"], ["everything"], ["everything"]]
    assert [p.scorer for p in made.values()] == [None, None, None, surface.scorer, None, None, None]
    assert {p.backfill for p in made.values()} == {surface.backfill}


def test_a_surface_without_co_visitation_is_not_compared_with_what_would_be_popularity_alone() -> None:
    assert "co_visitation" not in systems(Pipeline(sources=named(toys.Everything()), backfill=toys.Everything()))


def test_what_systems_share_is_asked_once_for_each_query_and_gives_each_what_it_would_have() -> None:
    class Counting:
        asked = 0

        def find(self, query: Query) -> Retrieved:
            Counting.asked += 1
            return toys.Everything().find(query)

    surface = Pipeline(sources={"one": Counting(), "two": toys.Everything()}, backfill=toys.Everything())
    asked = toys.queries(days=1)
    replay = Replay(
        vocabulary=toys.VOCABULARY,
        moment_at=lambda day: ReplayState(pipelines=systems(surface), item_events=np.zeros(toys.ITEMS)),
        metrics=(NDCG(k=2),),
        settings=toys.SETTINGS,
    )
    found = replay.run(asked)
    assert Counting.asked == len(asked)
    for name, alone in {"only one": {"one": Counting()}, "without one": {"two": toys.Everything()}}.items():
        plain = ReplayState(pipelines={"it": replace(surface, sources=alone)}, item_events=np.zeros(toys.ITEMS))
        single = replace(replay, moment_at=lambda day, plain=plain: plain)
        column = Column("it", "ndcg", 2, ALL)
        assert single.run(asked).mean(column) == found.mean(column._replace(system=name))
