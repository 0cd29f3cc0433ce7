"""What serves is what trains; a planted difference is found, named, and guessed at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from tests.features.conftest import Shop

from remora.features.parity import ParityDifference, ServedFeatures, parity, served
from remora.features.snapshot import ItemSnapshot

Change = Callable[[pa.ChunkedArray], pa.Array]


@pytest.fixture(scope="module")
def now(shop: Shop) -> ServedFeatures:
    snapshot = ItemSnapshot.take(shop.store, shop.lake, shop.lake.vocabulary(), shop.settings, shop.lake.end)
    return served(shop.settings, shop.store, snapshot)


def found(shop: Shop, what: ServedFeatures) -> tuple[ParityDifference, ...]:
    return parity(shop.settings, shop.lake, shop.store, what).differences


def with_item(now: ServedFeatures, column: str, change: Change) -> ServedFeatures:
    table = now.snapshot.table
    place = table.column_names.index(column)
    changed = table.set_column(place, column, change(table[column]))
    return replace(now, snapshot=replace(now.snapshot, table=changed))


def with_user(now: ServedFeatures, column: str, change: Change) -> ServedFeatures:
    table = now.users
    changed = table.set_column(table.column_names.index(column), column, change(table[column]))
    return replace(now, users=changed)


def test_nothing_differs_when_nothing_was_changed(shop: Shop, now: ServedFeatures) -> None:
    report = parity(shop.settings, shop.lake, shop.store, now)
    assert report.differences == ()
    assert report.users == len(set(shop.events["user_id"]))
    assert report.items == len(shop.lake.vocabulary())
    assert report.columns > 30


PLANTED: list[tuple[str, str, Change, str]] = [
    ("item", "item_profile__price", lambda c: pc.multiply(c, 100.0), "a unit: served is 100 times as much"),
    ("user", "user_activity__mean_value", lambda c: pc.multiply(c, 0.01), "a unit: served is 0.01 times as much"),
    ("item", "item_activity__last_event_at", lambda c: pc.add(c, 3600.0), "a time zone: served is 3600 s later"),
    ("user", "user_activity__last_event_at", lambda c: pc.subtract(c, 19_800.0), "a time zone: served is 19800 s earl"),
    ("item", "item_activity__mean_value", lambda c: pc.fill_null(c, 0.0), "a default for missing: served is 0.0"),
    ("user", "user_profile__city", lambda c: pc.fill_null(c, "none"), "a default for missing: served is none"),
    ("item", "item_activity__count_total", lambda c: c.cast(pa.float64()), "a type"),
    ("user", "user_profile__age", lambda c: c.cast(pa.string()), "a type"),
]


@pytest.mark.parametrize(("side", "column", "change", "guess"), PLANTED, ids=[f"{p[1]}, {p[3][:9]}" for p in PLANTED])
def test_a_planted_difference_is_named(
    shop: Shop, now: ServedFeatures, side: str, column: str, change: Change, guess: str
) -> None:
    planted = (with_item if side == "item" else with_user)(now, column, change)
    [difference] = found(shop, planted)
    assert difference.column == column
    assert difference.likely_cause.startswith(guess)
    assert difference.served != difference.recomputed


def test_a_window_that_ends_a_day_early_is_named(shop: Shop, now: ServedFeatures) -> None:
    early = ItemSnapshot.take(
        shop.store, shop.lake, shop.lake.vocabulary(), shop.settings, shop.lake.end - timedelta(days=1)
    ).table["item_activity__count_view_7d"]
    [difference] = found(shop, with_item(now, "item_activity__count_view_7d", lambda c: early))
    assert difference.column == "item_activity__count_view_7d"
    assert difference.likely_cause == "values, as of another window or instant"
    assert 0 < difference.rows < len(early)


def test_a_column_that_only_one_side_has_is_named(shop: Shop, now: ServedFeatures) -> None:
    dropped = replace(now, users=now.users.drop_columns(["user_profile__city"]))
    [difference] = found(shop, dropped)
    assert (difference.column, difference.served) == ("user_profile__city", "no such column")


def test_a_history_that_lags_is_named(shop: Shop, now: ServedFeatures) -> None:
    shorter = with_user(now, "user_history__history", lambda c: pc.list_slice(c, 0, 1))
    [difference] = found(shop, shorter)
    assert difference.column == "user_history__history"
