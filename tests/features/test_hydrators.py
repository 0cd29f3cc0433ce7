"""The user of a query, online and in replay: the same at the same instant."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tests.features.conftest import START, Shop

from remora.core.tables import TIMESTAMP
from remora.core.vocabulary import Vocabulary
from remora.features.online import OnlineUsers
from remora.features.replay import ReplayUsers


@pytest.fixture(scope="module")
def vocabulary(shop: Shop) -> Vocabulary:
    known = [id for id in shop.lake.vocabulary().ids.to_pylist() if id != "i2"]  # the bundle may be older than the lake
    return Vocabulary(known)


def prepared(shop: Shop, vocabulary: Vocabulary, asked: list[tuple[str, object]]) -> ReplayUsers:
    users, instants = zip(*asked, strict=True)
    table = pa.table({"user_id": pa.array(users), "instant": pa.array(instants, TIMESTAMP)})
    return ReplayUsers.prepare(shop.store, shop.lake, vocabulary, shop.settings, table)


def test_replay_at_the_end_of_the_data_equals_the_online_store_for_every_user(
    shop: Shop, vocabulary: Vocabulary
) -> None:
    users = [*shop.lake.users()["user_id"].to_pylist(), "nobody"]
    online = OnlineUsers(shop.store, vocabulary, shop.settings)
    replay = prepared(shop, vocabulary, [(user, shop.lake.end) for user in users])
    for user in users:
        now, then = online.hydrate(shop.query(user)), replay.hydrate(shop.query(user))
        assert now.user_found == then.user_found == (user != "nobody")
        np.testing.assert_array_equal(now.history, then.history)
        np.testing.assert_array_equal(now.seen, then.seen)
        assert set(now.user) == set(then.user)
        for name, value in now.user.items():
            np.testing.assert_array_equal(value, then.user[name], err_msg=f"{user} {name}")


def test_a_history_holds_events_strictly_before_the_instant(shop: Shop, vocabulary: Vocabulary) -> None:
    events = shop.events.sort("event_timestamp", "source_row")
    asked = [(f"u{u}", START + timedelta(hours=h)) for u in (0, 1, 2, 3) for h in (0, 24, 100, 101, 500)]
    replay = prepared(shop, vocabulary, [*asked, asked[0]])
    for user, instant in asked:
        before = events.filter(pl.col("user_id") == user, pl.col("event_timestamp") < instant)
        wanted = before.filter(pl.col("event_type") != "hide")["item_id"].to_list()[-4:]
        seen = list(dict.fromkeys(reversed(before["item_id"].to_list())))[:6][::-1]
        found = replay.hydrate(shop.query(user, instant))
        assert vocabulary.to_ids(found.history) == [item for item in wanted if item != "i2"]
        assert vocabulary.to_ids(found.seen) == [item for item in seen if item != "i2"]


def test_features_in_replay_are_those_of_the_last_midnight(shop: Shop, vocabulary: Vocabulary) -> None:
    instant = START + timedelta(days=12, hours=13)
    found = prepared(shop, vocabulary, [("u1", instant)]).hydrate(shop.query("u1", instant))
    midnight = START + timedelta(days=12)
    before = shop.events.filter(pl.col("user_id") == "u1", pl.col("event_timestamp") < midnight)
    week = before.filter(pl.col("event_timestamp") >= midnight - timedelta(days=7))
    assert found.user["user_activity__count_total"] == len(before)
    assert found.user["user_activity__count_buy_7d"] == (week["event_type"] == "buy").sum()
    assert found.user["user_profile__age"] == 21


def test_an_unknown_user_and_a_query_without_a_user_stay_empty(shop: Shop, vocabulary: Vocabulary) -> None:
    online = OnlineUsers(shop.store, vocabulary, shop.settings)
    for query in (shop.query("nobody"), shop.query(None)):
        found = online.hydrate(query)
        assert (found.user_found, len(found.history), len(found.seen), dict(found.user)) == (False, 0, 0, {})


def test_a_user_that_was_not_prepared_is_a_bug_and_not_passed_over(shop: Shop, vocabulary: Vocabulary) -> None:
    replay = prepared(shop, vocabulary, [("u1", START)])
    with pytest.raises(ValueError, match="'u2' at 2024-03-01T00:00:00"):
        replay.hydrate(shop.query("u2", START))


def test_before_the_first_event_no_user_is_known(shop: Shop, vocabulary: Vocabulary) -> None:
    instant = START - timedelta(days=400)
    found = prepared(shop, vocabulary, [("u1", instant), ("nobody", instant)])
    assert found.hydrate(shop.query("nobody", instant)).user_found is False
    early = found.hydrate(shop.query("u1", instant))  # the profile is valid always, no events exist yet
    assert (early.user_found, len(early.history), early.user["user_activity__count_total"]) == (True, 0, None)
