"""What holds of an item or user: the latest update, in whatever order, collected or not, and whoever begins when."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from benchmarks.broker import create, free_port, running
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.shop import SHOP

from remora.core.errors import NotReady, StorageError
from remora.events.collect import collect, log_status
from remora.events.entity_states import EntityStates
from remora.events.entity_update import EntityUpdate
from remora.events.from_settings import log_of
from remora.settings import Settings
from remora.settings.events import KafkaSettings

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
NAMES = itertools.count()


def update(id: str, second: int, **columns: Any) -> EntityUpdate:
    """Without columns: a deletion."""
    return EntityUpdate(kind="items", id=id, instant=NOW + timedelta(seconds=second), columns=columns or None)


def held(updates: list[EntityUpdate]) -> dict[str, EntityUpdate]:
    """What holds after all of them: the last of those that differ, in the order of their instants."""
    distinct = {one.encode(): one for one in updates}.values()
    return {one.id: one for one in sorted(distinct, key=lambda one: (one.instant, one.encode()))}


def shop_at(home: Path, **events: Any) -> Settings:
    return Settings.model_validate(SHOP | {"home": str(home), "events": events})


def write(shop: Settings, *updates: EntityUpdate, seal: bool = True) -> None:
    log = log_of(shop, "items")
    log.append([one.encode() for one in updates])
    if seal:
        log.seal()


def polled(states: EntityStates, count: int) -> list[EntityUpdate]:
    """What it gives until so many came; a broker may take a moment."""
    found: list[EntityUpdate] = []
    for _ in range(100):
        found += states.poll(0.3)
        if len(found) >= count:
            break
    return found


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with running(port, tmp_path_factory.mktemp("broker")):
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["files", "kafka"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "files":
        return shop_at(tmp_path)
    brokers, prefix = request.getfixturevalue("brokers"), f"states{next(NAMES)}-"
    for topic in ("events", "slates", "items", "users"):
        create(brokers, f"{prefix}{topic}", 2)
    return shop_at(tmp_path, kafka={"brokers": brokers, "topic_prefix": prefix})


def test_it_begins_with_what_was_collected_and_what_the_log_has_and_follows(shop: Settings) -> None:
    write(shop, update("a", 1, title="one"), update("b", 2, title="two"))
    assert collect(shop).rows == {"events/items": 2}
    write(shop, update("b", 3), update("c", 4, title="three", tags=["x", "y"], price=2.5))
    states = EntityStates.open(shop, "items")
    assert dict(states.current) == held([update("a", 1, title="one"), update("b", 3), update("c", 4, title="three",
                                        tags=["x", "y"], price=2.5)])  # fmt: skip
    assert states.current["b"].is_deleted
    write(shop, update("a", 5, title="uno"), update("b", 2, title="late"))
    assert polled(states, 1) == [update("a", 5, title="uno")]
    assert states.current["b"].is_deleted
    write(shop, update("b", 6, title="back"))
    assert polled(states, 1) == [update("b", 6, title="back")]
    assert collect(shop).rows == {"events/items": 5}
    assert states.poll(0.0) == []
    again = EntityStates.open(shop, "items")
    assert dict(again.current) == dict(states.current)
    assert collect(shop).rows == {}
    for one in (states, again):
        one.close()


def test_users_are_a_topic_of_their_own(shop: Settings) -> None:
    write(shop, update("a", 1, title="one"))
    log = log_of(shop, "users")
    log.append([EntityUpdate(kind="users", id="a", instant=NOW, columns={"age": 3}).encode()])
    log.seal()
    states = EntityStates.open(shop, "users")
    assert {id: one.columns for id, one in states.current.items()} == {"a": {"age": 3}}
    states.close()
    assert collect(shop).rows == {"events/items": 1, "events/users": 1}
    assert log_status(shop).collected == {"items": 1, "users": 1}
    assert not any(log_status(shop).logs.values())


UPDATES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c/d", "é\n"]), st.integers(0, 6), st.sampled_from([None, 1, 2.5, "x", ["y"]])
    ),
    min_size=1,
    max_size=20,
)
STEPS = st.lists(st.sampled_from(["write", "collect", "open", "poll"]), min_size=1, max_size=12)


@given(UPDATES, STEPS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_with_repeats_and_collections_gives_the_same_state(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, int, Any]], steps: list[str], draw: Random
) -> None:
    shop = shop_at(tmp_path_factory.mktemp("states"), segment_bytes=1_024, retention_days=draw.choice([0, 7]))
    every = [update(id, at, **({} if value is None else {"v": value})) for id, at, value in rows]
    coming = [*every, *draw.choices(every, k=len(every) // 3)]
    draw.shuffle(coming)
    sent: list[EntityUpdate] = []
    logs, states = [log_of(shop, "items") for _ in range(2)], [EntityStates.open(shop, "items")]
    told: list[dict[str, EntityUpdate]] = [{}]
    for step in [*steps, "write", "poll"]:
        if step == "write" and coming:
            count = len(coming) if not steps else draw.randint(1, len(coming))
            some, coming = coming[:count], coming[count:]
            draw.choice(logs).append([one.encode() for one in some])
            sent += some
        elif step == "collect":
            for one, said in zip(states, told, strict=True):  # with no retention the log loses what is collected
                said.update({u.id: u for u in one.poll(0.0)})
            collect(shop)
        elif step == "open":
            states.append(EntityStates.open(shop, "items"))
            told.append(dict(states[-1].current))
        else:
            for one, said in zip(states, told, strict=True):
                said.update({u.id: u for u in one.poll(0.0)})
                assert one.poll(0.0) == []
    for one, said in zip([*states, EntityStates.open(shop, "items")], [*told, held(sent)], strict=True):
        assert dict(one.current) == said == held(sent)
        one.close()
    for log in logs:
        log.seal()


def test_what_is_collected_while_it_begins_is_neither_lost_nor_told_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_at(tmp_path, retention_days=0)
    write(shop, update("a", 1, title="one"))
    from remora.events import entity_states

    def first_collected(home: Any, before: Callable[..., Any] = entity_states.read_compacted) -> Any:
        found = before(home)
        monkeypatch.undo()
        collect(shop)  # and the log has it no more
        return found

    monkeypatch.setattr(entity_states, "read_compacted", first_collected)
    states = EntityStates.open(shop, "items")
    assert dict(states.current) == held([update("a", 1, title="one")])
    assert states.poll(0.0) == []
    states.close()


def test_a_record_that_is_none_is_left_out(tmp_path: Path) -> None:
    shop = shop_at(tmp_path)
    log = log_of(shop, "items")
    log.append([b"no record", b'{"id": 7}', update("a", 1, title="one").encode()])
    log.seal()
    states = EntityStates.open(shop, "items")
    assert [*states.current] == ["a"]
    states.close()
    assert collect(shop).rows == {"events/items": 1}
    assert [*EntityStates.open(shop, "items").current] == ["a"]


def test_without_a_log_there_is_no_state(tmp_path: Path) -> None:
    elsewhere = shop_at(tmp_path).model_copy(update={"home": "s3://bucket/home?region=us-east-1"})
    with pytest.raises(NotReady, match=r"Set events\.folder"):
        EntityStates.open(elsewhere, "items")


def test_while_the_broker_is_out_there_is_an_error_and_then_what_came(tmp_path: Path) -> None:
    port = free_port()
    kafka = KafkaSettings(brokers=f"127.0.0.1:{port}", topic_prefix="out-")
    shop = shop_at(tmp_path).model_copy(update={"events": shop_at(tmp_path).events.model_copy(update={"kafka": kafka})})
    with running(port, tmp_path):
        create(f"127.0.0.1:{port}", "out-items", 1)
        write(shop, update("a", 1, title="one"))
        assert [*EntityStates.open(shop, "items").current] == ["a"]
    with pytest.raises((NotReady, StorageError), match="do not answer"):
        EntityStates.open(shop, "items")
