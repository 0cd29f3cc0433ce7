"""Rows of slates: what is kept, with what probability, and what was labelled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.stages_of_rules import AlsoListed, Listed, NotSeen

from remora.core.vocabulary import Vocabulary
from remora.datasets.ranking_rows import CandidateRows
from remora.pipeline import Pipeline, Query
from remora.pipeline.runner import named

ITEMS = 60
IDS = [f"i{n:02d}" for n in range(ITEMS)]
VOCABULARY = Vocabulary(IDS)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class SeenThree:
    """Everyone has seen the first three items."""

    def hydrate(self, query: Query) -> Query:
        return replace(query, user_found=True, seen=np.arange(3, dtype=np.int32))


def rows(outcomes: dict[str, float], *, hide: bool = True, **changes: object) -> pa.Table:
    sources = named(*([Listed(tuple(range(40)))] if hide else []), AlsoListed(tuple(range(30, 45))))
    pipeline = Pipeline(hydrators=named(SeenThree()), sources=sources, filters=named(NotSeen()) if hide else {})
    made = CandidateRows(
        vocabulary=VOCABULARY,
        pipeline_at=lambda day: pipeline,
        objectives=("liked",),
        **{"negatives": 10, "seed": 3} | changes,  # type: ignore[arg-type]
    )
    asked = {
        "query_id": ["u@1"], "user_id": ["u"], "instant": pa.array([NOON], pa.timestamp("us", "UTC")),
        "history_events": [4],
        "outcomes": [list(outcomes)], "label:liked": [list(outcomes.values())],
    }  # fmt: skip
    return made(pa.table(asked))


@given(
    wanted=st.lists(st.sampled_from(IDS), unique=True, max_size=8),
    negatives=st.integers(1, 60),
    every=st.booleans(),
)
def test_all_that_led_to_something_stays_and_the_rest_says_how_much_was_kept(
    wanted: list[str], negatives: int, every: bool
) -> None:
    found = rows(dict.fromkeys(wanted, 1.0), negatives=negatives, every_query=every).to_pydict()
    candidates = set(IDS[3:45])
    there = candidates & set(wanted)
    if not there and not every:
        assert not found["item_id"]
        return
    assert {i for i, label in zip(found["item_id"], found["label:liked"], strict=True) if label} == there
    kept, of = len(found["item_id"]) - len(there), len(candidates - there)
    assert kept == min(negatives, of)
    shares = np.array(found["sampled"])
    labels = np.array(found["label:liked"])
    assert (shares[labels > 0] == 1).all()
    if kept:
        np.testing.assert_allclose(shares[labels == 0], min(1, negatives / of))
        np.testing.assert_allclose((1 / shares).sum(), len(candidates))
    assert found["place"] == [*range(len(found["item_id"]))]


@given(negatives=st.integers(1, 60), easy=st.integers(0, 5))
def test_what_serving_knows_of_a_candidate_does_not_depend_on_what_was_sampled(negatives: int, easy: int) -> None:
    every = rows({"i05": 1.0}, negatives=ITEMS).to_pydict()
    known = [name for name in every if name.startswith("candidate__")]
    of = {item: [every[name][n] for name in known] for n, item in enumerate(every["item_id"])}
    assert [values[known.index("candidate__place")] for values in of.values()] == [*range(1, len(of) + 1)]
    some = rows({"i05": 1.0}, negatives=negatives, easy=easy).to_pydict()
    for n, item in enumerate(some["item_id"]):
        if item in of:
            np.testing.assert_equal([some[name][n] for name in known], of[item])


def test_easy_negatives_come_from_what_no_source_found() -> None:
    found = rows({"i05": 1.0}, easy=7).to_pydict()
    easy = [n for n, by in enumerate(found["candidate__found_by"]) if by == 0]
    assert len(easy) == 7
    assert {found["item_id"][n] for n in easy} <= set(IDS[45:])
    assert all(found["sampled"][n] == pytest.approx(7 / 15) for n in easy)
    assert all(np.isnan(found[name][n]) for n in easy for name in ("candidate__listed_score", "candidate__place"))
    assert sum(found["label:liked"]) == 1


def test_a_label_is_the_outcomes() -> None:
    found = rows({"i05": 2.5}).to_pydict()
    assert {i: label for i, label in zip(found["item_id"], found["label:liked"], strict=True) if label} == {"i05": 2.5}
    assert found["history_events"][0] == 4
    assert str(rows({"i05": 2.5}).to_pydict()) == str(rows({"i05": 2.5}).to_pydict())  # the draw is the query's own


def test_where_the_surface_shows_what_was_seen_it_is_labelled_and_drawn_like_any_other_item() -> None:
    found = rows({"i01": 1.0, "i35": 1.0}, hide=False, negatives=60, easy=60).to_pydict()
    assert set(found["item_id"]) == set(IDS)
    label = dict(zip(found["item_id"], found["label:liked"], strict=True))
    assert {item for item, value in label.items() if value} == {"i01", "i35"}
