"""A log in a topic of Kafka, or of any broker that speaks its protocol; needs the extra `kafka`."""

from __future__ import annotations

import errno
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from remora.core.errors import NotReady, StorageError
from remora.events.kafka_client import QUIET, Options, client, content, library
from remora.events.kafka_tail import KafkaTail
from remora.events.log import LogBatch

SECONDS_TO_DELIVER = 10.0
SECONDS_TO_ANSWER = 10.0
QUIET_SECONDS = 0.2
PRODUCER = "Producer"
RECORDS_AT_ONCE = 10_000

logger = logging.getLogger(__name__)


class KafkaLog:
    """Appends to a topic: a record counts once all of its replicas that are in sync have it, and is there once however
    often the producer tries."""

    def __init__(self, options: Options, topic: str, *, deliver_seconds: float = SECONDS_TO_DELIVER) -> None:
        kafka = library()
        durable: Options = {
            "acks": "all",
            "enable.idempotence": True,
            "delivery.timeout.ms": int(deliver_seconds * 1e3),
        }
        self._options: Options = {**options, **durable, "linger.ms": 0, **QUIET}
        self._topic, self._errors, self._seconds = topic, (kafka.KafkaException, BufferError), deliver_seconds
        self._producer = client(PRODUCER, self._options)

    def append(self, records: Sequence[bytes]) -> None:
        """As :class:`~remora.events.log.EventLog`."""
        try:
            for start in range(0, len(records), RECORDS_AT_ONCE):
                self._deliver(records[start : start + RECORDS_AT_ONCE])
        except (OSError, *self._errors) as error:
            # After some errors a producer takes nothing more; and what it still has would be sent a second time.
            self._producer.purge()
            self._producer = client(PRODUCER, self._options)
            raise OSError(errno.EIO, f"the broker does not take them: {error}") from error

    def _deliver(self, records: Sequence[bytes]) -> None:
        failed: list[str] = []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                failed.append(str(error))

        for record in records:
            self._producer.produce(self._topic, record, on_delivery=delivered)
        left = self._producer.flush(self._seconds + 1)
        if failed or left:
            raise OSError(failed[0] if failed else f"{left:,} records were not acknowledged")

    def seal_if_old(self) -> None:
        """Nothing: what is there can be read."""
        self._producer.poll(0)

    def seal(self) -> None:
        """Nothing more than what append has done."""
        self._producer.flush(self._seconds)


@dataclass(frozen=True, kw_only=True)
class KafkaReader:
    """Reads a topic by offsets that are kept with what is made of it, and not by a group's; a part is a partition.

    StorageError while the brokers do not answer.
    """

    options: Options
    topic: str
    answer_seconds: float = SECONDS_TO_ANSWER

    def exists(self) -> bool:
        """The brokers may be out, so they are not asked."""
        return True

    def batches(self, read: Mapping[str, int], rows: int) -> Iterator[LogBatch]:
        """Partition after partition, up to what is there when its turn comes."""
        kafka = library()
        consumer = self.consumer()
        try:
            for number in self.partitions(consumer):
                part = self.part(number)
                low, high = self.ends(consumer, number)
                at = max(low, read.get(part, 0))
                if part in read and (lost := low - read[part]) > 0:
                    logger.error("%s records of %s are gone: the topic kept them too shortly", f"{lost:,}", part)
                consumer.assign([kafka.TopicPartition(self.topic, number, at)])
                for contents, end in self._messages(consumer, at, high, rows):
                    yield LogBatch(contents, {part: end})
        except kafka.KafkaException as error:
            raise StorageError(f"Kafka's topic {self.topic} cannot be read: {error}.") from error
        finally:
            consumer.close()

    def _messages(self, consumer: Any, start: int, high: int, rows: int) -> Iterator[tuple[list[bytes], int]]:
        """From an offset to the partition's end, with the offset behind each lot."""
        at = start
        while True:
            behind = at < high
            # A lot is waited for until it is full. Behind the end that the broker names there may be a little more.
            wanted, seconds = (min(rows, high - at), self.answer_seconds) if behind else (rows, QUIET_SECONDS)
            found = consumer.consume(wanted, seconds)
            if errors := [message.error() for message in found if message.error() is not None]:
                raise StorageError(f"Kafka's topic {self.topic} cannot be read: {errors[0]}.")
            if not found:
                if behind:
                    raise StorageError(f"Kafka's topic {self.topic} gives nothing from {at:,} on, and has {high:,}.")
                return
            at = found[-1].offset() + 1
            yield [content(message) for message in found], at

    def tail(self, read: Mapping[str, int]) -> KafkaTail:
        """Of all partitions."""
        return KafkaTail(self, read)

    def uncollected(self, read: Mapping[str, int]) -> int:
        """Records."""
        kafka = library()
        consumer = self.consumer()
        try:
            ends = {number: self.ends(consumer, number) for number in self.partitions(consumer)}
            return sum(max(0, high - max(low, read.get(self.part(n), 0))) for n, (low, high) in ends.items())
        except kafka.KafkaException as error:
            raise NotReady(f"Kafka's brokers do not answer: {error}.") from error
        finally:
            consumer.close()

    def remove_old(self, read: Mapping[str, int], retention_seconds: float) -> Collection[str]:
        """None: the topic's own retention does."""
        return ()

    def part(self, number: int) -> str:
        """The name of a partition."""
        return f"kafka:{self.topic}:{number}"

    def consumer(self) -> Any:
        """One that is given its partitions."""
        # A group is asked for and never joined: partitions are assigned here.
        own: Options = {"group.id": "remora", "enable.auto.commit": False, "auto.offset.reset": "error", **QUIET}
        return client("Consumer", {**self.options, **own})

    def partitions(self, consumer: Any) -> list[int]:
        """Their numbers; none of a topic that is not there yet. StorageError while the brokers do not answer."""
        kafka = library()
        try:
            found = consumer.list_topics(self.topic, self.answer_seconds).topics[self.topic]
        except kafka.KafkaException as error:
            raise StorageError(f"Kafka's brokers do not answer: {error}.") from error
        return [] if found.error is not None else sorted(found.partitions)

    def ends(self, consumer: Any, number: int) -> tuple[int, int]:
        """Offsets of the first record that is there, and behind the last."""
        found: tuple[int, int] = consumer.get_watermark_offsets(
            library().TopicPartition(self.topic, number), self.answer_seconds
        )
        return found
