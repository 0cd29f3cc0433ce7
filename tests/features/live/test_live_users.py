"""The live state against the batch build of the same events: sorted, each once, as of the same instant."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.features.conftest import Shop

from remora.core.tables import EVENT_TIMESTAMP, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.events.file_log import FileLog
from remora.events.from_settings import EVENTS
from remora.features.live.beginning import LiveBeginning, begin
from remora.features.live.row_store import LiveRowStore
from remora.features.live.users import LiveUsers
from remora.features.online import OnlineUsers
from remora.features.transforms.user_activity import UserActivity
from remora.settings import Settings

AHEAD = timedelta(hours=26)


@dataclass
class Records:
    """A log in memory, which a test fills."""

    waiting: list[bytes] = field(default_factory=list)

    def poll(self, seconds: float) -> list[bytes]:
        found, self.waiting = self.waiting, []
        return found

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def store(shop: Shop) -> LiveRowStore:
    return LiveRowStore(shop.settings)


@pytest.fixture(scope="module")
def beginning(shop: Shop) -> LiveBeginning:
    return begin(shop.settings, 0)


def record(number: int, user: str, item: str, kind: str, at: datetime) -> bytes:
    event = {"event_id": f"live{number}", "user_id": user, "item_id": item, "event_type": kind}
    times = {name: at.isoformat(timespec="microseconds") for name in ("event_timestamp", "known_timestamp")}
    return json.dumps(event | times | {"value": float(number % 5)}).encode()


def state_of(beginning: LiveBeginning, store: LiveRowStore, records: Records) -> LiveUsers:
    [(_, convert)] = beginning.topics
    own = replace(beginning, topics=[(records, convert)])
    return LiveUsers(own, store, most_events=20_000, clock=lambda: beginning.end)


def batch(shop: Shop, beginning: LiveBeginning, records: list[bytes], user: str) -> dict[str, Any]:
    """What the build and a replay say of the user, of all events in the order of their times."""
    sent = pl.DataFrame([json.loads(one) for one in dict.fromkeys(records)]).with_columns(
        pl.col(EVENT_TIMESTAMP).str.to_datetime(time_unit="us", time_zone="UTC")
    )
    sent = sent.filter(pl.col("item_id").is_in(beginning.counts.items)).sort(EVENT_TIMESTAMP)
    later = sent.with_columns(source_row=pl.int_range(pl.len()) + len(shop.events)).select(shop.events.columns)
    events = pl.concat([shop.events, later.cast(dict(shop.events.schema))]).filter(pl.col(USER_ID) == user)
    if events.is_empty():
        return {}
    instant = max(beginning.end, events[EVENT_TIMESTAMP].max() + timedelta(microseconds=1))  # type: ignore[operator]
    found: dict[str, Any] = {}
    context = replace(beginning.context, until=instant.replace(hour=0, minute=0, second=0, microsecond=0) + AHEAD)
    for view, choice in beginning.views.items():
        if view == "user_history":
            ordered = events.sort(EVENT_TIMESTAMP, "source_row", maintain_order=True)
            wanted = ordered.filter(pl.col("event_type").is_in(list(context.weights)))["item_id"].to_list()
            seen = list(dict.fromkeys(reversed(ordered["item_id"].to_list())))[: context.seen_limit]
            found |= {f"{view}__history": wanted[-context.history_length :], f"{view}__seen": seen[::-1]}
            continue
        rows = choice.component.cls.transform(choice.config, events, context)
        rows = rows.filter(pl.col(EVENT_TIMESTAMP) <= instant).sort(EVENT_TIMESTAMP)
        row = rows[-1].to_dicts()[0] if len(rows) else dict.fromkeys(rows.columns)
        found |= {f"{view}__{name}": row[name] for name in rows.columns if name not in (USER_ID, EVENT_TIMESTAMP)}
    return found


EVENT = st.tuples(
    st.sampled_from(["u0", "u1", "u7", "new", "newer"]),
    st.sampled_from(["i0", "i1", "i5", "i9", "not in the catalogue"]),
    st.sampled_from(["view", "buy", "hide"]),
    st.integers(-24 * 3_600, 26 * 3_600),
)
EVENTS_AT_ONCE = st.lists(EVENT, min_size=1, max_size=25, unique_by=lambda event: event[3])
"""Events around the end of the data, no two of one instant."""


@given(EVENTS_AT_ONCE, st.randoms(use_true_random=False))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_with_repeats_and_late_events_gives_the_state_of_the_batch(
    shop: Shop, beginning: LiveBeginning, store: LiveRowStore, events: list[tuple[str, str, str, int]], draw: Random
) -> None:
    order = [*range(len(events)), *(draw.randrange(len(events)) for _ in range(1 + len(events) // 5))]
    draw.shuffle(order)
    cuts = sorted(draw.randrange(len(order) + 1) for _ in range(draw.randrange(4)))
    records = [record(n, u, i, k, beginning.end + timedelta(seconds=s)) for n, (u, i, k, s) in enumerate(events)]
    coming, log = [records[n] for n in order], Records()
    state = state_of(beginning, store, log)
    touched: set[str] = set()
    at_once = state.changed_users()
    assert not at_once
    for start, end in zip([0, *cuts], [*cuts, len(coming)], strict=True):
        log.waiting = coming[start:end]
        users = state.take(0.0)
        state.write(users, at_hand=draw.random() < 0.5)
        touched |= set(users)
    while state.catch_up():
        pass
    store.announce(0, [state.tables])
    known = {e[0] for e in events if e[1] in beginning.counts.items}
    assert touched == known
    for user in known:
        found, expected = store.read(user), batch(shop, beginning, records, user)
        assert found is not None
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            numbers = value is not None and (isinstance(value, float) or name.endswith("__affinity"))
            assert found[name] == (pytest.approx(value, rel=1e-6) if numbers else value), (user, name)


def test_a_request_sees_the_event_and_never_what_was_seen(
    shop: Shop, beginning: LiveBeginning, store: LiveRowStore
) -> None:
    vocabulary = Vocabulary(sorted(beginning.counts.items))
    users = OnlineUsers(shop.store, vocabulary, shop.settings, live=store)
    log = Records()
    state = state_of(beginning, store, log)
    store.announce(0, [state.tables])
    before, stranger = users.hydrate(shop.query("u2")), users.hydrate(shop.query("stranger"))
    assert not stranger.user_found
    log.waiting = [record(900 + n, user, "i3", "buy", beginning.end) for n, user in enumerate(("u2", "stranger"))]
    state.write(state.take(0.0))
    after, stranger = users.hydrate(shop.query("u2")), users.hydrate(shop.query("stranger"))
    assert vocabulary.to_ids(after.history)[-1] == "i3"
    assert "i3" in vocabulary.to_ids(after.seen)
    assert (before.user.keys(), stranger.user_found) == (after.user.keys(), True)
    assert after.user["user_activity__count_total"] == before.user["user_activity__count_total"], "until midnight"


def test_rows_of_other_feature_tables_count_only_while_they_are_announced(
    shop: Shop, beginning: LiveBeginning, store: LiveRowStore
) -> None:
    store.write({"u3": {"user_history__history": ["i1"]}}, "older")
    store.announce(0, ["older", "newer"])
    assert store.read("u3") == {"user_history__history": ["i1"]}
    store.announce(0, ["newer"])
    assert (store.read("u3"), store.announced(0)) == (None, ["newer"])


def test_no_users_row_is_that_of_a_writer(store: LiveRowStore) -> None:
    store.announce(0, ["tables"])
    for user in ("\x000/1", "0/1", "0/1".rjust(256)):
        store.write({user: {"a": 1}}, "others")
    assert store.announced(0) == ["tables"]


def test_several_stores_of_one_process_see_what_another_process_writes(shop: Shop, store: LiveRowStore) -> None:
    """As a replica has them that holds two bundles."""
    stores = [store, LiveRowStore(shop.settings)]
    write = "store.write({'u9': {'a': 1}}, 'elsewhere'); store.announce(0, ['elsewhere'])"
    code = (
        f"import json; from remora.settings import Settings; from remora.features.live.row_store import LiveRowStore; "
        f"store = LiveRowStore(Settings.model_validate_json({shop.settings.model_dump_json()!r})); {write}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [one.read("u9") for one in stores] == [{"a": 1}] * 2


@dataclass
class Refusing(UserActivity):
    """Fails for one user."""

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: Any) -> pl.DataFrame:
        if "u1" in events[USER_ID].to_list():
            raise ValueError("a poisoned event")
        return super().transform(config, events, context)


def test_an_event_that_a_transform_fails_at_keeps_no_other_user_waiting(
    beginning: LiveBeginning, store: LiveRowStore
) -> None:
    activity = beginning.views["user_activity"]
    refusing = SimpleNamespace(component=SimpleNamespace(cls=Refusing), config=activity.config)
    log = Records([record(n, f"u{n}", "i4", "buy", beginning.end) for n in range(4)] + [b"no record"])
    state = state_of(replace(beginning, views=beginning.views | {"user_activity": refusing}), store, log)
    state.write(state.take(0.0))
    store.announce(0, [state.tables])
    assert (state.stats.events, state.stats.rows, state.stats.failed) == (4, 3, 1)
    for user in ("u0", "u2", "u3"):
        row = store.read(user)
        assert row is not None
        assert row["user_history__history"][-1] == "i4"


def test_when_a_day_begins_the_rows_of_those_who_did_something_are_made_again(
    beginning: LiveBeginning, store: LiveRowStore
) -> None:
    log, now = Records([record(1, "u4", "i4", "buy", beginning.end + timedelta(hours=1))]), [beginning.end]
    [(_, convert)] = beginning.topics
    state = LiveUsers(replace(beginning, topics=[(log, convert)]), store, most_events=20_000, clock=lambda: now[0])
    state.write(state.take(0.0))
    store.announce(0, [state.tables])
    first = store.read("u4")
    assert not state.catch_up()
    now[0] += timedelta(days=1)
    assert state.catch_up()
    second = store.read("u4")
    assert first is not None
    assert second is not None
    counts = [row["user_activity__count_total"] for row in (first, second)]
    assert counts[1] == counts[0] + 1


def test_what_is_at_hand_is_written_at_once_and_the_views_of_the_day_when_there_is_time(
    beginning: LiveBeginning, store: LiveRowStore
) -> None:
    log = Records([record(1, "u4", "i4", "buy", beginning.end)])
    state = state_of(beginning, store, log)
    store.announce(0, [state.tables])
    state.write(state.take(0.0), at_hand=True)
    first = store.read("u4")
    assert first is not None
    assert first["user_history__history"][-1] == "i4"
    assert "user_activity__count_total" not in first, "the row of the batch build has it"
    assert (state.waiting, state.catch_up(1), state.waiting) == (1, 1, 0)
    whole = store.read("u4")
    assert whole is not None
    assert first.items() <= whole.items()
    log.waiting = [record(2, "u4", "i5", "buy", beginning.end)]
    state.write(state.take(0.0), at_hand=True)
    again = store.read("u4")
    assert again is not None
    assert (again["user_activity__count_total"], state.waiting) == (whole["user_activity__count_total"], 0)
    assert again["user_history__history"][-1] == "i5"


def test_when_a_day_begins_the_windows_of_those_who_did_nothing_move_too(
    shop: Shop, beginning: LiveBeginning, store: LiveRowStore
) -> None:
    now = [beginning.end]
    [(_, convert)] = beginning.topics
    own = replace(beginning, topics=[(Records(), convert)])
    state = LiveUsers(own, store, most_events=20_000, clock=lambda: now[0])
    store.announce(0, [state.tables])
    assert not state.catch_up()
    now[0] += timedelta(days=1)
    while state.catch_up():
        pass
    instant = now[0] + timedelta(hours=1)
    for user in ("u6", "u8"):
        events = shop.events.filter(pl.col(USER_ID) == user)
        found = store.read(user)
        assert found is not None
        for name, choice in beginning.views.items():
            if choice.component.cls.daily:
                rows = choice.component.cls.transform(choice.config, events, replace(beginning.context, until=instant))
                row = rows.filter(pl.col(EVENT_TIMESTAMP) <= instant).sort(EVENT_TIMESTAMP).to_dicts()[-1]
                for column in row.keys() - {USER_ID, EVENT_TIMESTAMP}:
                    numbers = isinstance(row[column], float) or column == "affinity"
                    expected = pytest.approx(row[column], rel=1e-6) if numbers else row[column]
                    assert found[f"{name}__{column}"] == expected, (user, name, column)


def test_a_state_that_begins_on_a_later_day_than_the_lake_ends_makes_all_rows(
    beginning: LiveBeginning, store: LiveRowStore
) -> None:
    [(_, convert)] = beginning.topics
    own = replace(beginning, topics=[(Records(), convert)])
    later = beginning.end + timedelta(days=45)
    state = LiveUsers(own, store, most_events=20_000, clock=lambda: later)
    store.announce(0, [state.tables])
    while state.catch_up():
        pass
    row = store.read("u6")
    assert row is not None
    assert {value for name, value in row.items() if name.startswith("user_activity__distinct_items_")} == {0}
    assert not any(state._rows._kept.values()), "rows of all users are too many to keep"


def test_a_user_of_very_many_events_has_the_latest(beginning: LiveBeginning, store: LiveRowStore) -> None:
    log = Records([record(n, "busy", f"i{n % 9}", "view", beginning.end + timedelta(seconds=n)) for n in range(300)])
    [(_, convert)] = beginning.topics
    own = replace(beginning, topics=[(log, convert)])
    state = LiveUsers(own, store, most_events=100, clock=lambda: beginning.end)
    state.write(state.take(0.0))
    store.announce(0, [state.tables])
    row = store.read("busy")
    assert row is not None
    assert row["user_history__history"] == [f"i{n % 9}" for n in range(296, 300)]


@pytest.fixture
def logged(shop: Shop, tmp_path: Path) -> Iterator[tuple[Settings, FileLog]]:
    """Settings with a log of their own, and its writer."""
    events = shop.settings.events.model_copy(update={"folder": str(tmp_path)})
    log = FileLog(tmp_path / EVENTS, segment_bytes=2_000, segment_seconds=1_000)
    yield shop.settings.model_copy(update={"events": events}), log
    log.seal()


def test_the_state_begins_with_what_the_log_has_and_follows_it(
    logged: tuple[Settings, FileLog], beginning: LiveBeginning, store: LiveRowStore
) -> None:
    chosen, log = logged
    log.append([record(n, f"u{n}", "i2", "buy", beginning.end) for n in range(20)])
    state = LiveUsers.open(chosen, store, 0)
    assert sorted(state.changed_users()) == sorted(f"u{n}" for n in range(20))
    log.append([record(99, "u24", "i2", "buy", beginning.end)])
    assert state.take(5.0) == ["u24"]
    state.close()


def test_writers_divide_the_users(logged: tuple[Settings, FileLog], beginning: LiveBeginning) -> None:
    chosen, log = logged
    live = chosen.events.live.model_copy(update={"writers": 3})
    chosen = chosen.model_copy(update={"events": chosen.events.model_copy(update={"live": live})})
    store = LiveRowStore(chosen)
    log.append([record(n, f"u{n}", "i2", "buy", beginning.end) for n in range(20)])
    states = [LiveUsers.open(chosen, store, writer) for writer in range(3)]
    shares = [state.changed_users() for state in states]
    assert sorted(user for share in shares for user in share) == sorted(f"u{n}" for n in range(20))
    assert all(shares)
