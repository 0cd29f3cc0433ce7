"""Histories against a plain loop over the events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.features.transforms.user_history import histories, user_history

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
POSITIVE = ("view", "buy")
STAMP = pl.Datetime("us", "UTC")

event = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from("pqrstu"),
    st.sampled_from((*POSITIVE, "hide")),
    st.builds(lambda h: FIRST + timedelta(hours=8 * h), st.integers(0, 9)),
)
ask = st.tuples(st.sampled_from("abcd"), st.builds(lambda h: FIRST + timedelta(hours=4 * h), st.integers(-1, 20)))


def events_of(rows: list[tuple[str, str, str, datetime]]) -> pl.DataFrame:
    names = {"user_id": pl.String, "item_id": pl.String, "event_type": pl.String, "event_timestamp": STAMP}
    return pl.DataFrame(rows, schema=names, orient="row").with_columns(source_row=pl.int_range(pl.len()))


def looped(
    rows: list[tuple[str, str, str, datetime]], user: str, instant: datetime, length: int, limit: int
) -> tuple[list[str], list[str]]:
    ordered = sorted((r for r in rows if r[0] == user and r[3] < instant), key=lambda r: r[3])  # stable: source order
    seen: dict[str, None] = {}
    for row in ordered:
        seen.pop(row[1], None)
        seen[row[1]] = None
    return [r[1] for r in ordered if r[2] in POSITIVE][-length:], list(seen)[-limit:]


@given(st.lists(event, max_size=40), st.lists(ask, max_size=8), st.integers(1, 5), st.integers(1, 5), st.randoms())
@settings(max_examples=100)
def test_histories_equal_a_loop_over_the_events_before_the_instant(rows, entity_rows, length, limit, shuffle) -> None:  # type: ignore[no-untyped-def]
    events = events_of(rows)
    order = list(range(len(rows)))
    shuffle.shuffle(order)
    wanted = pl.DataFrame(entity_rows, schema={"user_id": pl.String, "instant": STAMP}, orient="row")
    made = histories(events[order], wanted, positive_types=POSITIVE, length=length, seen_limit=limit, item="item_id")
    assert made.select("user_id", "instant").equals(wanted)
    for (user, instant), history, seen in zip(entity_rows, made["history"], made["seen"], strict=True):
        assert (history.to_list(), seen.to_list()) == looped(rows, user, instant, length, limit)


@given(st.lists(event, max_size=40))
@settings(max_examples=40)
def test_the_row_for_requests_holds_everything_up_to_the_end(rows) -> None:  # type: ignore[no-untyped-def]
    until = int(FIRST.timestamp()) // 86_400 + 2
    end = FIRST + timedelta(days=2)
    made = user_history(events_of(rows), positive_types=POSITIVE, length=3, seen_limit=4, until=until)
    assert set(made["user_id"]) == {r[0] for r in rows if r[3] < end}
    for user, midnight, history, seen in made.rows():
        assert (history, seen) == looped(rows, user, end, 3, 4)
        last = max(r[3] for r in rows if r[0] == user and r[3] < end)
        assert midnight.date() == last.date() + timedelta(days=1)
