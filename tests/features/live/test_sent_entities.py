"""Users and items that are sent: their columns are in the row of the next request, and events of new items count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.features.conftest import Shop
from tests.features.live.test_live_users import record

from remora.core.vocabulary import Vocabulary
from remora.events.collect import collect
from remora.events.entity_update import EntityKind, EntityUpdate
from remora.events.from_settings import log_of
from remora.features.live.beginning import begin
from remora.features.live.row_store import LiveRowStore
from remora.features.live.users import LiveUsers
from remora.features.online import OnlineUsers
from remora.settings import Settings

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def logged(shop: Shop, tmp_path: Path) -> Settings:
    """Settings of the shop with a log of their own."""
    events = shop.settings.events.model_copy(update={"folder": str(tmp_path)})
    return shop.settings.model_copy(update={"events": events})


@pytest.fixture
def store(shop: Shop) -> LiveRowStore:
    return LiveRowStore(shop.settings)


@pytest.fixture
def state(logged: Settings, store: LiveRowStore) -> Iterator[LiveUsers]:
    found = LiveUsers.open(logged, store, 0)
    store.announce(0, [found.tables])
    yield found
    found.close()


def send(settings: Settings, kind: EntityKind, id: str, columns: dict[str, Any] | None, second: int = 0) -> None:
    log = log_of(settings, kind)
    log.append([EntityUpdate(kind=kind, id=id, instant=NOW + timedelta(seconds=second), columns=columns).encode()])
    log.seal()


def act(settings: Settings, *records: bytes) -> None:
    log = log_of(settings, "events")
    log.append(records)
    log.seal()


def taken(state: LiveUsers) -> list[str]:
    users = state.take(0.0)
    state.write(users)
    return users


def profile(row: Any) -> dict[str, Any]:
    assert row is not None
    return {name: value for name, value in row.items() if name.startswith("user_profile__")}


def test_a_users_columns_are_those_of_the_batch_build_and_null_once_deleted(
    shop: Shop, logged: Settings, state: LiveUsers, store: LiveRowStore
) -> None:
    users = OnlineUsers(shop.store, Vocabulary(["i1"]), shop.settings, live=store)
    before = users.hydrate(shop.query("u2")).user
    send(logged, "users", "u2", {"age": 99, "city": "Graz"})
    assert taken(state) == ["u2"]
    after = users.hydrate(shop.query("u2")).user
    assert profile(after) == {"user_profile__age": 99, "user_profile__city": "Graz"}
    assert after.keys() == before.keys()
    assert type(after["user_profile__age"]) is type(before["user_profile__age"])
    send(logged, "users", "u2", {"age": 98}, second=1)
    taken(state)
    assert profile(users.hydrate(shop.query("u2")).user) == {"user_profile__age": 98, "user_profile__city": None}
    send(logged, "users", "u2", None, second=2)
    taken(state)
    forgotten = users.hydrate(shop.query("u2"))
    assert profile(forgotten.user) == {"user_profile__age": None, "user_profile__city": None}
    assert forgotten.user_found, "what the user did stays"


def test_an_unknown_user_is_found_by_columns_alone_and_then_forgotten(
    shop: Shop, logged: Settings, state: LiveUsers, store: LiveRowStore
) -> None:
    users = OnlineUsers(shop.store, Vocabulary(["i1"]), shop.settings, live=store)
    send(logged, "users", "newcomer/1", {"city": "Graz"})
    assert taken(state) == ["newcomer/1"]
    found = users.hydrate(shop.query("newcomer/1"))
    assert (found.user_found, found.user["user_profile__city"], len(found.history)) == (True, "Graz", 0)
    send(logged, "users", "newcomer/1", None, second=1)
    taken(state)
    assert not users.hydrate(shop.query("newcomer/1")).user_found


def test_what_a_user_does_and_what_is_sent_of_the_user_stand_in_one_row(
    logged: Settings, state: LiveUsers, store: LiveRowStore
) -> None:
    end = state._clock()
    send(logged, "users", "u3", {"age": 1})
    taken(state)
    act(logged, record(1, "u3", "i5", "buy", end))
    taken(state)
    row = store.read("u3")
    assert row is not None
    assert (row["user_history__history"][-1], row["user_profile__age"]) == ("i5", 1)
    send(logged, "users", "u3", {"age": 2}, second=1)
    taken(state)
    row = store.read("u3")
    assert row is not None
    assert (row["user_history__history"][-1], row["user_profile__age"]) == ("i5", 2)


def test_a_state_that_begins_has_what_was_collected_and_what_was_not(
    shop: Shop, logged: Settings, store: LiveRowStore, tmp_path: Path
) -> None:
    logged = logged.model_copy(update={"home": shutil.copytree(shop.settings.home, tmp_path / "home").as_posix()})
    send(logged, "users", "u4", {"age": 1})
    send(logged, "users", "u5", {"age": 1})
    collect(logged)
    send(logged, "users", "u5", {"age": 2}, second=1)
    state = LiveUsers.open(logged, store, 0)
    assert {"u4", "u5"} <= set(state.changed_users())
    state.write(["u4", "u5"])
    store.announce(0, [state.tables])
    assert [profile(store.read(user))["user_profile__age"] for user in ("u4", "u5")] == [1, 2]
    state.close()


def test_writers_divide_the_users_that_are_sent(logged: Settings) -> None:
    live = logged.events.live.model_copy(update={"writers": 3})
    chosen = logged.model_copy(update={"events": logged.events.model_copy(update={"live": live})})
    states = [LiveUsers.open(chosen, LiveRowStore(chosen), writer) for writer in range(3)]
    for number in range(20):
        send(chosen, "users", f"p{number}", {"age": number})
    shares = [state.take(0.0) for state in states]
    assert sorted(user for share in shares for user in share) == sorted(f"p{n}" for n in range(20))
    assert all(shares)
    for state in states:
        state.close()


def test_events_of_items_that_were_sent_count_whichever_log_is_read_first(
    logged: Settings, state: LiveUsers, store: LiveRowStore
) -> None:
    end = state._clock()
    act(logged, record(1, "u6", "N1", "buy", end), record(2, "u7", "N2", "buy", end))
    assert taken(state) == []
    send(logged, "items", "N1", {"title": "N", "tags": ["a", "a category of its own"]})
    assert taken(state) == ["u6"]
    row = store.read("u6")
    assert row is not None
    assert row["user_history__history"][-1] == "N1"
    send(logged, "items", "N2", {})
    send(logged, "items", "N2", None, second=1)
    act(logged, record(3, "u6", "N2", "buy", end + timedelta(seconds=1)))
    assert sorted(taken(state)) == ["u6", "u7"]
    again = LiveUsers.open(logged, store, 0)
    assert sorted({"u6", "u7"} & set(again.changed_users())) == ["u6", "u7"]
    again.close()


def test_categories_of_items_that_were_sent_count_in_affinities(logged: Settings, store: LiveRowStore) -> None:
    began = begin(logged, 0)
    send(logged, "items", "N1", {"tags": ["b", "no such category"]})
    again = begin(logged, 0)
    assert began.context.item_categories is not None
    assert again.context.item_categories is not None
    more = again.context.item_categories.filter(pl.col("item_id") == "N1")
    assert more["category_numbers"].to_list() == [[again.context.category_names.index("b")]]
    assert len(again.context.item_categories) == len(began.context.item_categories) + 1


def test_a_log_that_cannot_be_read_loses_nothing_of_the_others(
    logged: Settings, state: LiveUsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(logged, record(1, "u8", "i5", "buy", state._clock()))
    assert state._sent_users is not None

    def out() -> list[str]:
        raise ConnectionError

    monkeypatch.setattr(state._sent_users, "poll", out)
    with pytest.raises(ConnectionError):
        state.take(0.0)
    monkeypatch.undo()
    assert state.take(0.0) == ["u8"]


def test_a_value_that_is_of_no_type_of_the_lake_is_null(
    logged: Settings, state: LiveUsers, store: LiveRowStore
) -> None:
    send(logged, "users", "u9", {"age": "old", "city": "Graz", "gone": json.dumps({})})
    taken(state)
    assert profile(store.read("u9")) == {"user_profile__age": None, "user_profile__city": "Graz"}
