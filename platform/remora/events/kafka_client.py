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
