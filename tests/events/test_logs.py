"""What every log promises, of files and of Kafka's topics against a real broker."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.broker import create, free_port, running
from tests.events.test_contract import CONTRACT, event
from tests.ingest.shop import bring_shop

from remora.core.errors import MissingInput, NotReady, SettingsError, StorageError
from remora.events.collect import collect, log_status
from remora.events.file_log import FileLog
from remora.events.from_settings import intake_of, kafka_options
from remora.events.group_commit import NotTaken
from remora.events.intake import Intake
from remora.events.kafka_log import KafkaLog, KafkaReader
from remora.events.log import EventLog, LogReader, LogTail
from remora.events.segment_reader import SegmentReader
from remora.ingest.sent_events import FOLDER
from remora.settings import Settings
from remora.settings.events import KafkaSettings

Pair = tuple[EventLog, LogReader]
NAMES = itertools.count()


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with running(port, tmp_path_factory.mktemp("broker")):
        yield f"127.0.0.1:{port}"


@pytest.fixture(params=["files", "kafka"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Pair]:
    """Makes a log and its reader; each call another writer of the same log."""
    if request.param == "files":
        return lambda: (FileLog(tmp_path, segment_bytes=1_000, segment_seconds=1_000), SegmentReader(tmp_path))
    brokers, topic = request.getfixturevalue("brokers"), f"topic{next(NAMES)}"
    create(brokers, topic, 3)
    options = {"bootstrap.servers": brokers}
    return lambda: (KafkaLog(options, topic), KafkaReader(options=options, topic=topic))


def collected(reader: LogReader, read: dict[str, int], rows: int = 1_000) -> list[bytes]:
    """What is there beyond ``read``, which is then brought up to it."""
    found = []
    for batch in reader.batches(dict(read), rows):
        assert len(batch.contents) <= rows
        found += batch.contents
        read |= batch.read
    return found


def test_what_is_appended_is_read_once_from_where_the_last_reading_ended(made: Callable[[], Pair]) -> None:
    log, reader = made()
    read: dict[str, int] = {}
    assert (collected(reader, read), reader.uncollected(read)) == ([], 0)
    first = [b"record %d" % number for number in range(50)]
    log.append(first)
    assert reader.uncollected(read) > 0
    assert sorted(collected(reader, read, rows=7)) == sorted(first)
    assert (collected(reader, read), reader.uncollected(read)) == ([], 0)
    log.append([b"later", bytes(range(256))])
    assert sorted(collected(reader, read)) == sorted([b"later", bytes(range(256))])


def followed(tail: LogTail, count: int) -> list[bytes]:
    """What the tail gives until so many came; a broker may take a moment."""
    found: list[bytes] = []
    for _ in range(100):
        found += tail.poll(0.3)
        if len(found) >= count:
            break
    return found


def test_a_tail_gives_what_comes_after_what_was_collected(made: Callable[[], Pair]) -> None:
    (log, reader), (other, _) = made(), made()
    log.append([b"old %d" % number for number in range(30)])
    read: dict[str, int] = {}
    collected(reader, read)
    log.append([b"between"])
    tail = reader.tail(read)
    assert followed(tail, 1) == [b"between"]
    for number in range(60):  # segments are sealed meanwhile
        (log, other)[number % 2].append([b"new %d " % number + b"x" * 100])
        if number % 20 == 19:
            assert sorted(followed(tail, 20)) == sorted(
                b"new %d " % n + b"x" * 100 for n in range(number - 19, number + 1)
            )
    log.seal()
    assert tail.poll(0.0) == []
    tail.close()


def test_a_tail_begins_before_there_is_a_log(tmp_path: Path) -> None:
    tail = SegmentReader(tmp_path / "later").tail({})
    assert tail.poll(0.0) == []
    log = FileLog(tmp_path / "later", segment_bytes=1_000, segment_seconds=1_000)
    log.append([b"first"])
    assert tail.poll(0.0) == [b"first"]
    log.seal()
    assert tail.poll(0.0) == []


def test_several_writers_share_a_log(made: Callable[[], Pair]) -> None:
    writers, (_, reader) = [made()[0] for _ in range(3)], made()
    for number in range(9):
        writers[number % 3].append([b"%d" % number])
    for writer in writers:
        writer.seal()
    assert sorted(collected(reader, {})) == [b"%d" % number for number in range(9)]


def test_an_intake_over_it_keeps_what_it_accepts(made: Callable[[], Pair]) -> None:
    log, reader = made()
    intake = Intake(log, CONTRACT)
    sent = [event(event_id=str(number)) for number in range(200)]
    verdicts = [intake.take([one]) for one in sent]
    assert {one.result(timeout=30)[0].verdict for one in verdicts} == {"accepted"}
    intake.close()
    assert len(collected(reader, {})) == 200


def test_a_topic_that_is_not_there_has_nothing(brokers: str) -> None:
    reader = KafkaReader(options={"bootstrap.servers": brokers}, topic="never")
    assert (collected(reader, {}), reader.uncollected({}), reader.remove_old({}, 0)) == ([], 0, ())


def test_while_the_broker_is_out_nothing_is_taken_and_what_was_taken_is_kept(tmp_path: Path) -> None:
    """The broker is killed and started again; what it had in memory is gone with it, which is its own affair."""
    port = free_port()
    options: Mapping[str, Any] = {"bootstrap.servers": f"127.0.0.1:{port}"}
    with running(port, tmp_path):
        create(f"127.0.0.1:{port}", "t", 1)
        log = KafkaLog(options, "t", deliver_seconds=1.5)
        intake = Intake(log, CONTRACT)
        assert intake.take([event()]).result(timeout=30)[0].verdict == "accepted"
    with pytest.raises(NotTaken, match="cannot be written now"):
        intake.take([event(event_id="f")]).result(timeout=30)
    with running(port, tmp_path):
        create(f"127.0.0.1:{port}", "t", 1)
        assert intake.take([event(event_id="f")]).result(timeout=60)[0].verdict == "accepted"
        intake.close()


def test_a_broker_that_does_not_answer_is_said_to_be_out(tmp_path: Path) -> None:
    reader = KafkaReader(options={"bootstrap.servers": "127.0.0.1:9"}, topic="t", answer_seconds=0.5)
    with pytest.raises((StorageError, NotReady), match="do not answer"):
        reader.uncollected({})


def of_kafka(home: Path, brokers: str, **kafka: Any) -> Settings:
    shop = bring_shop(home)
    chosen = KafkaSettings(brokers=brokers, topic_prefix=f"shop{next(NAMES)}-", **kafka)
    return shop.model_copy(update={"events": shop.events.model_copy(update={"kafka": chosen})})


def test_settings_that_name_brokers_collect_from_their_topics(home_folder: Path, brokers: str) -> None:
    shop = of_kafka(home_folder, brokers)
    create(brokers, f"{shop.events.kafka.topic_prefix}events", 2)
    intake = intake_of(shop)
    bought = {"user_id": "101", "item_id": "P3", "event_type": "purchase"}
    intake.take([bought | {"event_id": str(number)} for number in range(20)]).result(timeout=30)
    intake.close()
    status = log_status(shop).logs
    assert (status["events"] > 0, status["slates"]) == (
        True,
        0,
    )  # this broker counts batches where Kafka counts records
    assert collect(shop).rows == {FOLDER: 20}
    assert collect(shop).rows == {}
    assert not (home_folder / "log").exists()


def test_the_clients_properties_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text("# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b\n")
    chosen = KafkaSettings(brokers="one:9092,two:9092", properties_file=str(path))
    assert kafka_options(chosen) == {
        "bootstrap.servers": "one:9092,two:9092", "security.protocol": "SASL_SSL", "sasl.password": "a=b",
    }  # fmt: skip
    path.write_text("security.protocol\n")
    with pytest.raises(SettingsError, match=r"Line 1 of .*client\.properties' has no '='"):
        kafka_options(chosen)
    path.unlink()
    with pytest.raises(MissingInput, match=r"events\.kafka\.properties_file names it"):
        kafka_options(chosen)
