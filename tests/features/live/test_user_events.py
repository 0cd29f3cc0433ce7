"""Events of users against a plain list of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from remora.features.live import user_events
from remora.features.live.user_events import UserEvents

START = datetime(2026, 5, 1, tzinfo=UTC)
event = st.tuples(st.integers(0, 30), st.sampled_from("abc"))


def frame(rows: list[tuple[int, str]], first_row: int = 0) -> pl.DataFrame:
    names = {
        "event_id": pl.String,
        "user_id": pl.String,
        "event_timestamp": pl.Datetime("us", "UTC"),
        "source_row": pl.Int64,
    }
    made = [(f"e{n}{user}", user, START + timedelta(seconds=n), first_row + i) for i, (n, user) in enumerate(rows)]
    return pl.DataFrame(made, schema=names, orient="row")


@given(
    st.lists(event, max_size=15, unique=True),
    st.lists(st.lists(event, max_size=6), max_size=6),
    st.lists(event, max_size=6),
    st.integers(0, 8),
)
def test_each_id_is_there_once_in_the_order_of_arrival(
    base: list[tuple[int, str]], batches: list[list[tuple[int, str]]], collected: list[tuple[int, str]], loose: int
) -> None:
    before, user_events.MOST_LOOSE = user_events.MOST_LOOSE, loose
    try:
        events = UserEvents(frame(base), frame(collected).drop("source_row"), most=1_000)
        known = list(dict.fromkeys([*base, *collected]))
        for batch in batches:
            touched = events.add(frame(batch).drop("source_row").to_dicts())
            # An id that the lake has is found when it is asked for, so its user may be named.
            fresh = [one for one in dict.fromkeys(batch) if one not in known]
            assert {user for _, user in fresh} <= set(touched) <= {user for _, user in batch}
            known += fresh
        for user in "abcd":
            assert events.of([user])["event_id"].to_list() == [f"e{n}{who}" for n, who in known if who == user]
        rows = events.of(["a", "b", "c"])
        assert rows["source_row"].is_unique().all()
        assert len(rows) == len(known)
    finally:
        user_events.MOST_LOOSE = before


def test_of_a_user_with_very_many_the_last_are_given() -> None:
    events = UserEvents(frame([(n, "a") for n in range(10)] + [(1, "b")]), most=3)
    events.add(frame([(40, "a")]).drop("source_row").to_dicts())
    assert events.of(["a", "b"])["event_id"].to_list() == ["e8a", "e9a", "e40a", "e1b"]
