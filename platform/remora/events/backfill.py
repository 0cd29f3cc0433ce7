"""Events that lie in a topic of Kafka already, brought to the home's files: read once, by Ray Data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from remora.core.errors import SettingsError
from remora.core.home import Home
from remora.core.strict_json import loads
from remora.events.compaction import ROWS_PER_FILE, add_files
from remora.events.contract import EventContract
from remora.events.from_settings import kafka_options
from remora.events.intake import ACCEPTED, QUARANTINED, judged
from remora.events.kafka_client import library
from remora.events.tables import event_tables
from remora.settings import Settings

RECORD, VERDICT = "record", "verdict"


@dataclass(frozen=True, kw_only=True)
class BackfillReport:
    """What became of the messages: how many were accepted and quarantined, and in how many files they are."""

    verdicts: Counter[str] = field(default_factory=Counter)
    files: int = 0

    def as_json(self) -> dict[str, int]:
        """For machines."""
        return {"accepted": self.verdicts[ACCEPTED], "quarantined": self.verdicts[QUARANTINED], "files": self.files}


def backfill(
    settings: Settings, topic: str, *, since: datetime | None = None, until: datetime | None = None
) -> BackfillReport:
    """Bring the messages of ``topic`` with ``since`` <= time < ``until`` to the files that the ingest reads.

    A message is one event as `POST /v1/events` takes it; it was learned when the broker got it, and happened then where
    it has no time of its own. So a topic may be brought twice: the lake has each event once. Needs a Ray cluster, and
    memory for a file's events. SettingsError without events.kafka.brokers; NotReady while events are being collected.
    """
    brokers = brokers_of(settings)
    import ray.data

    options = kafka_options(settings.events.kafka)
    messages = ray.data.read_kafka(
        topic,
        bootstrap_servers=brokers.split(","),
        start_offset=since or "earliest",
        end_offset=until or "latest",
        consumer_config={name: value for name, value in options.items() if name != "bootstrap.servers"},
    )
    contract = EventContract.of(settings.data)

    def held_against_the_contract(batch: pa.Table) -> pa.Table:
        return judgements(batch, contract, since, until)

    found, verdicts = messages.map_batches(held_against_the_contract, batch_format="pyarrow"), Counter[str]()

    def records() -> Iterator[list[bytes]]:
        for batch in found.iter_batches(batch_size=ROWS_PER_FILE, batch_format="pyarrow"):
            assert isinstance(batch, pa.Table)
            verdicts.update(batch[VERDICT].to_pylist())
            yield batch[RECORD].to_pylist()

    files = add_files(Home(settings.home), records(), event_tables)
    return BackfillReport(verdicts=verdicts, files=files)


def brokers_of(settings: Settings) -> str:
    """Whom to ask; SettingsError where none is named, or without the client."""
    if settings.events.kafka.brokers is None:
        raise SettingsError("There is no topic to read: set events.kafka.brokers.")
    library()
    return settings.events.kafka.brokers


def judgements(batch: pa.Table, contract: EventContract, since: datetime | None, until: datetime | None) -> pa.Table:
    """``record`` and ``verdict`` of the messages of that time (columns ``value`` and ``timestamp``, in milliseconds):
    brokers that find no offset for a time give all."""
    records, verdicts = list[bytes](), list[str]()
    for value, milliseconds in zip(batch["value"].to_pylist(), batch["timestamp"].to_pylist(), strict=True):
        learned = datetime.fromtimestamp(milliseconds / 1e3, UTC)
        if (since is None or learned >= since) and (until is None or learned < until):
            record, verdict = judged(_parsed(value), contract, learned)
            records.append(record)
            verdicts.append(verdict.verdict)
    return pa.table({RECORD: pa.array(records, pa.binary()), VERDICT: pa.array(verdicts, pa.string())})


def _parsed(value: bytes | None) -> Any:
    """What the contract then refuses where it is no JSON object, nor strict JSON as the endpoint takes it."""
    try:
        return loads(value or b"")
    except ValueError:
        return (value or b"").decode(errors="replace")
