"""The client of Kafka, which the extra `kafka` brings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remora.core.errors import SettingsError

Options = Mapping[str, str | int | bool]

QUIET: Options = {"log_level": 2, "log.connection.close": False}
"""librdkafka writes ten lines a second while a broker is out; what matters of it comes back as an error."""


def library() -> Any:
    """The client; SettingsError without it."""
    try:
        import confluent_kafka
    except ImportError as error:
        raise SettingsError(
            "events.kafka names brokers, and confluent-kafka is not installed. Install it: pip install 'remora[kafka]'."
        ) from error
    return confluent_kafka


def client(kind: str, options: Options) -> Any:
    """A ``Producer`` or ``Consumer``; SettingsError for options that it does not take."""
    kafka = library()
    try:
        return getattr(kafka, kind)(dict(options))
    except (kafka.KafkaException, ValueError, TypeError) as error:
        said = error.args[0].str() if isinstance(error, kafka.KafkaException) else str(error)
        raise SettingsError(
            f"Kafka's client does not take what events.kafka and its properties file say: {said}."
        ) from error


def content(message: Any) -> bytes:
    """Of a message; empty for one without a value, which other producers send to delete a key."""
    return bytes(message.value() or b"")
