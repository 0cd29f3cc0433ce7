"""Rows of items that came after what was learned reach no component that does not take them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from remora.core.vocabulary import ItemCodes
from remora.pipeline import Candidates, FeatureRows, Pipeline, PipelineState, Query, Retrieved, ScoredCandidates
from remora.pipeline.live_rows import known_query, known_state
from remora.testing.stages import some_query

KNOWN, LATE = 12, 5
"""Items that were learned, and those that came later."""

N = KNOWN + LATE
rows = st.lists(st.integers(0, N - 1), unique=True, max_size=N)
any_query = st.builds(
    lambda history, seen, exclude, seed, n: some_query(
        history=_codes(history), seen=_codes(seen), exclude=_codes(exclude), seed_item=seed, n=n
    ),
    rows,
    rows,
    rows,
    st.one_of(st.none(), st.integers(0, N - 1)),
    st.integers(1, N),
)


def _codes(some: list[int]) -> ItemCodes:
    return np.array(some, np.int32)


def check(*given: ItemCodes) -> None:
    """What a table of what was learned would do with rows: it has no place for others."""
    table = np.zeros(KNOWN)
    for rows in given:
        table[rows]


def checked(query: Query) -> Query:
    seed = [] if query.seed_item is None else [query.seed_item]
    check(query.history, query.seen, query.exclude, _codes(seed))
    return query


@dataclass(frozen=True)
class Learned:
    """Every stage in one that reads a table by row, and says nothing of live rows."""

    found: tuple[int, ...] = ()

    def find(self, query: Query) -> Retrieved:
        checked(query)

        def others(rows: ItemCodes) -> npt.NDArray[np.float32]:
            check(rows)
            return -rows.astype(np.float32)

        return Retrieved(_codes(list(self.found)), -np.arange(len(self.found), dtype=np.float32), others)

    def page(self, query: Query, start: int, stop: int) -> Retrieved:
        checked(query)
        every = _codes(list(range(N)))[start:stop]
        return Retrieved(every, np.zeros(len(every), np.float32))

    def score(self, query: Query, candidates: Candidates) -> npt.NDArray[np.float32]:
        return self.predict(query, candidates).scores

    def predict(self, query: Query, candidates: Candidates) -> ScoredCandidates:
        checked(query)
        check(candidates.rows)
        scores = -candidates.rows.astype(np.float32)
        return ScoredCandidates(
            scores=scores,
            predictions={"wanted": scores.astype(np.float64)},
            features=FeatureRows(
                schema="row", instant=query.instant, values=candidates.rows[:, None].astype(np.float32)
            ),
        )

    def rerank(self, query: Query, candidates: Candidates) -> npt.NDArray[np.intp]:
        checked(query)
        check(candidates.rows)
        return np.arange(len(candidates))[::-1]


@dataclass(frozen=True)
class Aware:
    """A source that says that it takes live rows, and notes what it is asked."""

    takes_live_rows = True

    found: tuple[int, ...]
    asked: list[Any] = field(default_factory=list)

    def find(self, query: Query) -> Retrieved:
        self.asked.append(query)
        return Retrieved(_codes(list(self.found)), -np.arange(len(self.found), dtype=np.float32))


@dataclass(frozen=True)
class AllRows:
    """A filter over the items as they are: it has an answer for every row."""

    hidden: tuple[int, ...] = ()

    def allowed(self, query: Query, candidates: Candidates) -> npt.NDArray[np.bool_]:
        mask = np.ones(N, bool)
        mask[list(self.hidden)] = False
        return mask[candidates.rows]


def pipeline(learned: list[int], aware: list[int], deleted: list[int], *, rerank: bool = True) -> Pipeline:
    gone = np.zeros(N, bool)
    gone[deleted] = True
    return Pipeline(
        sources={"listed": Learned(tuple(learned)), "aware": Aware(tuple(aware))},
        filters={"all_rows": AllRows()},
        scorer=Learned(),
        rerankers={"backwards": Learned()} if rerank else {},
        backfill=Learned(),
        live_from=KNOWN,
        deleted=gone,
    )


@given(query=any_query, learned=rows, aware=rows, deleted=rows)
def test_what_says_nothing_is_asked_as_if_there_were_no_live_items(
    query: Query, learned: list[int], aware: list[int], deleted: list[int]
) -> None:
    """An index beyond the table would raise; deleted items are shown by nothing, and no slate is short for them."""
    made = pipeline(learned, aware, deleted)
    slate = made.run(query)
    shown = slate.candidates.rows.tolist()
    may = set(range(N)) - set(deleted) - set(query.exclude.tolist())
    assert set(shown) <= may
    assert len(shown) == min(query.n, len(may))
    assert made.sources["aware"].asked[0] is query  # type: ignore[attr-defined]
    np.testing.assert_array_equal(np.isnan(slate.candidates.scores), slate.candidates.rows >= KNOWN)
    for predicted in slate.predictions.values():
        np.testing.assert_array_equal(np.isnan(predicted), slate.candidates.rows >= KNOWN)


@given(query=any_query, aware=rows)
def test_live_items_that_a_scorer_does_not_take_are_unscored_and_keep_their_place_in_a_reranker(
    query: Query, aware: list[int]
) -> None:
    plain = pipeline([], aware, [], rerank=False)
    state = plain.filter(plain.retrieve(PipelineState(query=query)))
    ordered, backwards = plain.order(state).candidates, pipeline([], aware, []).order(state).candidates
    np.testing.assert_array_equal(np.isnan(ordered.scores), ordered.rows >= KNOWN)
    is_live = ordered.rows >= KNOWN
    np.testing.assert_array_equal(backwards.rows[is_live], ordered.rows[is_live])
    np.testing.assert_array_equal(backwards.rows[~is_live], ordered.rows[~is_live][::-1])


@given(query=any_query, learned=rows, aware=rows, deleted=rows)
def test_without_live_items_none_is_found_and_the_slate_is_as_full_as_it_can_be(
    query: Query, learned: list[int], aware: list[int], deleted: list[int]
) -> None:
    made = pipeline(learned, aware, deleted).without_live_items()
    slate = made.run(known_query(query, KNOWN))
    may = set(range(KNOWN)) - set(deleted) - set(query.exclude.tolist())
    assert set(slate.candidates.rows.tolist()) <= may
    assert len(slate.candidates) == min(query.n, len(may))


@given(query=any_query, found=rows)
def test_a_known_state_has_no_live_row_and_all_others_in_their_order(query: Query, found: list[int]) -> None:
    state = PipelineState(query=query, candidates=Candidates.unfound(_codes(found)))
    known = known_state(state, KNOWN)
    assert known.candidates.rows.tolist() == [row for row in found if row < KNOWN]
    for name in ("history", "seen", "exclude"):
        assert getattr(known.query, name).tolist() == [row for row in getattr(query, name).tolist() if row < KNOWN]
    assert known.query.seed_item == (
        query.seed_item if query.seed_item is not None and query.seed_item < KNOWN else None
    )
    assert known_query(known.query, KNOWN) is known.query
