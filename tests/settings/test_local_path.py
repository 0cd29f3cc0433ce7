"""A path of a node's disk means the same file in every process that reads it, or is an error at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from remora.core.errors import SettingsError
from remora.events.from_settings import kafka_options, reader_of
from remora.settings import Settings
from remora.settings.events import EventsSettings, KafkaSettings

DATA: dict[str, Any] = {
    "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
    "event_types": {"buy": {}},
}


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("log", "depends on the working directory"),
        ("./log", "depends on the working directory"),
        ("~nobody-of-this-name/log", "Write the whole path"),
        ("/tmp/a\0b", "no path of a disk"),
        ("s3://bucket/log", "no path of a disk"),
        ("/tmp/" + "x" * 300, "more than 255 bytes"),
        ("", "at least 1 character"),
    ],
)
def test_what_is_no_whole_path_is_refused_when_settings_are_read(path: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        EventsSettings(folder=path)
    with pytest.raises(ValidationError, match=says):
        KafkaSettings(properties_file=path)


@pytest.mark.parametrize("path", ["/var/log/remora", "~/log", "/a b/ü%20"])
def test_a_whole_path_stays_as_it_is_written(path: str) -> None:
    assert EventsSettings(folder=path).folder == path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "is not UTF-8"),
        (b"acks", "has no '='"),
        (b"bootstrap.servers=elsewhere:1", "Line 1 .* names brokers"),
        (b"metadata.broker.list=elsewhere:1", "Line 1 .* names brokers"),
    ],
)
def test_a_properties_file_that_means_something_else_is_an_error(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "client").write_bytes(content)
    with pytest.raises(SettingsError, match=says):
        kafka_options(KafkaSettings(brokers="127.0.0.1:1", properties_file=str(tmp_path / "client")))


@pytest.mark.parametrize("line", ["bogus.setting=secret", "ssl.ca.location=/none\nsecurity.protocol=ssl"])
def test_what_the_client_does_not_take_is_an_error_of_the_settings(tmp_path: Path, line: str) -> None:
    pytest.importorskip("confluent_kafka")
    (tmp_path / "client").write_text(line)
    kafka = {"brokers": "127.0.0.1:1", "properties_file": str(tmp_path / "client")}
    settings = Settings(name="x", home=str(tmp_path), data=DATA, events={"kafka": kafka})
    reader = reader_of(settings)
    assert reader is not None
    with pytest.raises(SettingsError, match="Kafka's client does not take") as error:
        reader.uncollected({})
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("preset", [["home_feed"], {"a": 1}, 3, True])
def test_a_preset_of_another_type_is_an_error(preset: Any) -> None:
    with pytest.raises(ValidationError, match="there is no preset"):
        Settings(name="x", data=DATA, surfaces={"home_feed": {"preset": preset}})
