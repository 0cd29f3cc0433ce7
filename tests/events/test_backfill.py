"""A topic that others wrote comes into the lake's source, against a real broker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.broker import create, free_port, running
from tests.events.test_contract import CONTRACT, event
from tests.ingest.shop import bring_shop

from remora.core.errors import SettingsError
from remora.core.home import Home
from remora.events.backfill import backfill, judgements
from remora.events.kafka_log import KafkaLog
from remora.events.tables import QUARANTINE, event_tables
from remora.ingest.sent_events import FOLDER
from remora.settings import Settings

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with running(port, tmp_path_factory.mktemp("broker")):
        yield f"127.0.0.1:{port}"


def shop(home: Path, brokers: str | None) -> Settings:
    settings = bring_shop(home)
    kafka = settings.events.kafka.model_copy(update={"brokers": brokers})
    return settings.model_copy(update={"events": settings.events.model_copy(update={"kafka": kafka})})


def test_each_message_is_accepted_or_quarantined_once(ray_cluster: None, brokers: str, tmp_path: Path) -> None:
    settings = shop(tmp_path, brokers)
    create(brokers, "clicks", 3)
    kind = next(iter(settings.data.event_types))
    sent = [json.dumps(event(event_id=f"b{n}", event_type=kind)).encode() for n in range(40)]
    log = KafkaLog({"bootstrap.servers": brokers}, "clicks")
    for record in (*sent, b"no JSON", b'{"user_id": "u"}'):
        log.append([record])  # one by one: of a batch this broker counts one in the end that it names
    report = backfill(settings, "clicks")
    assert report.as_json() == {"accepted": 40, "quarantined": 2, "files": 1}
    home = Home(settings.home)
    [name] = home.files(FOLDER)
    rows = pq.read_table(home.at(f"{FOLDER}/{name}"))
    assert sorted(rows["event_id"].to_pylist()) == sorted(f"b{n}" for n in range(40))
    assert set(pq.read_table(home.at(f"{QUARANTINE}/{name}"))["reason"].to_pylist()) == {
        "the event is no JSON object",
        "item_id is missing",
    }


def test_only_messages_of_the_span_count_and_an_event_without_a_time_happened_when_it_was_learned() -> None:
    stamps = [int((NOON + timedelta(hours=hour)).timestamp() * 1e3) for hour in range(4)]
    values = [json.dumps(event(event_id=None, event_timestamp=None)).encode() for _ in stamps]
    batch = pa.table({"value": pa.array(values, pa.binary()), "timestamp": stamps})
    found = judgements(batch, CONTRACT, NOON + timedelta(hours=1), NOON + timedelta(hours=3))
    assert found["verdict"].to_pylist() == ["accepted"] * 2
    records = [json.loads(record) for record in found["record"].to_pylist()]
    assert [record["event_timestamp"][11:13] for record in records] == ["13", "14"]
    assert all(record["event_timestamp"] == record["known_timestamp"] for record in records)
    assert len({record["event_id"] for record in records}) == 2


def test_without_brokers_it_is_said_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"events\.kafka\.brokers"):
        backfill(shop(tmp_path, None), "clicks")


@pytest.mark.parametrize(
    "message",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'"\\udc00"',
        b'{"user_id": "\\ud800", "item_id": "i", "event_type": "buy"}',
        None,
    ],
)
def test_a_message_that_is_no_json_is_quarantined_and_holds_up_no_other(message: bytes | None) -> None:
    good = json.dumps(event(event_timestamp="2026-11-01T00:00:00Z")).encode()
    messages = pa.table(
        {"value": pa.array([message, good], pa.binary()), "timestamp": [int(NOON.timestamp() * 1e3)] * 2}
    )
    found = judgements(messages, CONTRACT, None, None)
    assert found["verdict"].to_pylist() == ["quarantined", "accepted"]
    assert event_tables(found["record"].to_pylist())[FOLDER].num_rows == 1
