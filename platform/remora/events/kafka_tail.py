"""Follows a topic of Kafka by offsets of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from remora.core.errors import StorageError
from remora.events.kafka_client import content, library

if TYPE_CHECKING:
    from remora.events.kafka_log import KafkaReader

RECORDS_AT_ONCE = 10_000
SECONDS_BETWEEN_LISTS = 5.0


class KafkaTail:
    """As :class:`~remora.events.log.LogTail`, over the partitions of a topic, those that are added later too."""

    def __init__(self, reader: KafkaReader, read: Mapping[str, int]) -> None:
        self._reader, self._read = reader, read
        self._consumer = reader.consumer()
        self._assigned = dict[int, int]()
        self._listed = 0.0

    def poll(self, seconds: float) -> list[bytes]:
        """As :class:`~remora.events.log.LogTail`."""
        kafka = library()
        try:
            self._list()
            if not self._assigned:
                time.sleep(seconds)
                return []
            found = self._consumer.consume(1, seconds)
            if found:  # `consume` waits until it has all that it is asked for; the rest is what is there already
                found += self._consumer.consume(RECORDS_AT_ONCE - 1, 0.0)
        except kafka.KafkaException as error:
            raise StorageError(f"Kafka's topic {self._reader.topic} cannot be read: {error}.") from error
        taken = list[bytes]()
        for message in found:
            if message.error() is not None:
                raise StorageError(f"Kafka's topic {self._reader.topic} cannot be read: {message.error()}.")
            self._assigned[message.partition()] = message.offset() + 1
            taken.append(content(message))
        return taken

    def close(self) -> None:
        """As :class:`~remora.events.log.LogTail`."""
        self._consumer.close()

    def _list(self) -> None:
        now = time.monotonic()
        if self._listed and now - self._listed < SECONDS_BETWEEN_LISTS:
            return
        self._listed = now
        numbers = self._reader.partitions(self._consumer)
        if set(numbers) <= self._assigned.keys():
            return
        for number in set(numbers) - self._assigned.keys():
            low, _ = self._reader.ends(self._consumer, number)
            self._assigned[number] = max(low, self._read.get(self._reader.part(number), 0))
        topic, at = self._reader.topic, library().TopicPartition
        self._consumer.assign([at(topic, number, offset) for number, offset in self._assigned.items()])
