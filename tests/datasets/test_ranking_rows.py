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

from remora.contracts.vocabulary import Vocabulary
from remora.datasets.ranking_rows import CandidateRows
from remora.pipeline import Pipeline, Query

ITEMS = 60
IDS = [f"i{n:02d}" for n in range(ITEMS)]
VOCABULARY = Vocabulary(IDS)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


class SeenThree:
    """Everyone has seen the first three items."""

    def hydrate(self, query: Query) -> Query:
        return replace(query, known=True, seen=np.arange(3, dtype=np.int32))


def rows(outcomes: dict[str, float], *, targets: dict[str, float] | None = None, **changes: object) -> pa.Table:
    pipeline = Pipeline(sources=(Listed(tuple(range(40))), AlsoListed(tuple(range(30, 45)))), filters=(NotSeen(),))
    made = CandidateRows(
        vocabulary=VOCABULARY,
        hydrator=SeenThree(),
        pipeline_at=lambda day: pipeline,
        objectives=("liked",),
        **{"negatives": 10, "seed": 3} | changes,  # type: ignore[arg-type]
    )
    targets = targets or {}
    asked = {
        "query_id": ["u@1"], "user_id": ["u"], "instant": pa.array([NOON], pa.timestamp("us", "UTC")),
        "targets": [list(targets)], "weights": [list(targets.values())], "history_events": [4],
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
    assert found["candidate__place"] == sorted(found["candidate__place"])


def test_easy_negatives_come_from_what_no_source_found() -> None:
    found = rows({"i05": 1.0}, easy=7).to_pydict()
    easy = [n for n, by in enumerate(found["candidate__found_by"]) if by == 0]
    assert len(easy) == 7
    assert {found["item_id"][n] for n in easy} <= set(IDS[45:])
    assert all(found["sampled"][n] == pytest.approx(7 / 15) for n in easy)
    assert all(np.isnan(found["candidate__listed_score"][n]) for n in easy)
    assert sum(found["label:liked"]) == 1


def test_a_gain_is_a_targets_weight_and_a_label_an_outcomes() -> None:
    found = rows({"i05": 2.5}, targets={"i06": 0.5}).to_pydict()
    at = {item: n for n, item in enumerate(found["item_id"])}
    assert (found["gain"][at["i05"]], found["label:liked"][at["i05"]]) == (0.0, 2.5)
    assert set(found["gain"]) <= {0.0, 0.5}
    assert found["history_events"][0] == 4
    assert str(rows({"i05": 2.5}).to_pydict()) == str(rows({"i05": 2.5}).to_pydict())  # the draw is the query's own
