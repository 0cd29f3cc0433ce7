"""User affinity against a plain loop over the events."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.features.transforms.user_affinity import user_affinity

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
UNTIL = int(FIRST.timestamp()) // 86_400 + 12
WEIGHTS = {"view": 0.25, "buy": 1.0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CHANGE = FIRST + timedelta(days=3, hours=7)

ITEMS = pl.DataFrame(
    [
        ("p", EPOCH, [0]),
        ("p", CHANGE, [1, 4]),  # valid from the middle of a day
        ("q", EPOCH, [2, 0, 1]),
        ("r", EPOCH, []),
        ("s", EPOCH, None),
        ("t", CHANGE, [1]),  # not in the catalogue before
    ],
    schema={"item_id": pl.String, "event_timestamp": pl.Datetime("us", "UTC"), "category_numbers": pl.List(pl.Int32)},
    orient="row",
)

event = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from("pqrstz"),
    st.sampled_from(("view", "buy", "hide")),
    st.builds(lambda h: FIRST + timedelta(hours=h), st.integers(0, 10 * 24)),
)


def categories_at(item: str, instant: datetime) -> list[int]:
    versions = [(since, numbers) for i, since, numbers in ITEMS.rows() if i == item and since <= instant]
    return list(max(versions)[1] or []) if versions else []


def expected(rows: list[tuple[str, str, str, datetime]], user: str, midnight: datetime, kinds: int) -> list[float]:
    gained: dict[int, float] = defaultdict(float)
    for who, item, kind, instant in rows:
        if who == user and kind in WEIGHTS and instant < midnight:
            numbers = categories_at(item, instant)
            for number in numbers:
                gained[number] += WEIGHTS[kind] / len(numbers)
    total = sum(gained.values())
    return [gained[c] / total for c in range(kinds)]


@given(st.lists(event, max_size=40), st.integers(1, 6))
@settings(max_examples=60)
def test_shares_equal_a_loop_over_the_events(rows: list[tuple[str, str, str, datetime]], kinds: int) -> None:
    names = {"user_id": pl.String, "item_id": pl.String, "event_type": pl.String}
    events = pl.DataFrame(rows, schema={**names, "event_timestamp": pl.Datetime("us", "UTC")}, orient="row")
    made = user_affinity(events, ITEMS, weights=WEIGHTS, categories=kinds, until=UNTIL)
    assert made["affinity"].dtype == pl.List(pl.Float32)
    for user, midnight, affinity in made.rows():
        np.testing.assert_allclose(affinity, expected(rows, user, midnight, kinds), rtol=1e-6)
    active = {
        (who, instant.date() + timedelta(days=1))
        for who, item, kind, instant in rows
        if kind in WEIGHTS and categories_at(item, instant)
    }
    assert {(user, midnight.date()) for user, midnight, _ in made.rows()} == active
