"""A request's time is the same on every machine, whatever its clocks say."""

from __future__ import annotations

import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pipeline.stages_of_rules import Listed

from remora.pipeline import Pipeline, Query, deadline
from remora.pipeline.deadline import NEVER, Deadline
from remora.pipeline.runner import named
from remora.testing.stages import some_query

CLOCKS = st.floats(0, 1e7)


@given(sender=CLOCKS, receiver=CLOCKS, seconds=st.floats(-10, 100))
def test_what_is_left_is_left_on_a_machine_of_another_clock(sender: float, receiver: float, seconds: float) -> None:
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr(deadline, "monotonic", lambda: sender)
        sent = pickle.dumps(some_query(retrieval_deadline=Deadline.after(seconds)))
        clock.setattr(deadline, "monotonic", lambda: receiver)
        arrived: Query = pickle.loads(sent)
        assert arrived.retrieval_deadline.left == pytest.approx(seconds, abs=1e-6)
        assert arrived.ranking_deadline == NEVER


@pytest.mark.parametrize("skew", [-86_400.0, 86_400.0])
def test_a_clock_that_is_set_spends_no_time(skew: float, monkeypatch: pytest.MonkeyPatch) -> None:
    query, now = some_query(retrieval_deadline=Deadline.after(3_600)), time.time
    monkeypatch.setattr(time, "time", lambda: now() + skew)
    assert Pipeline(sources=named(Listed((5,)))).run(query).degraded == ()
    late = some_query(retrieval_deadline=Deadline.after(-1))
    assert Pipeline(sources=named(Listed((5,)))).run(late).degraded == ("listed: skipped, the request's time is spent",)
