"""Sends events of a file to a running app: in batches, again where the server cannot take them now, each once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl

from remora.core.errors import BadRequest, DataError, MissingInput, NotReady
from remora.core.printable import one_line
from remora.core.tables import EVENT_ID
from remora.events.contract import content_id
from remora.events.intake import ACCEPTED, DUPLICATE, QUARANTINED
from remora.serving.client import TIMEOUT_SECONDS, detail_of
from remora.serving.event_schemas import MAX_EVENTS

MAX_BATCH_BYTES = 200_000
PATIENCE_SECONDS = 60.0
"""So long a batch is tried again while the server answers 503, or nothing answers any more."""

NUMBERS = {"value": pl.Float64, "position": pl.Int64}


@dataclass
class SendReport:
    """What became of the events of a file: how many of each verdict, and the reasons of those quarantined."""

    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        names = {"accepted": ACCEPTED, "duplicates": DUPLICATE, "quarantined": QUARANTINED}
        return {name: self.verdicts[verdict] for name, verdict in names.items()} | {"reasons": dict(self.reasons)}


def send(
    url: str,
    events: Iterable[dict[str, Any]],
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    advanced: Callable[[int], None] = lambda count: None,
    rest: Callable[[float], None] = time.sleep,
) -> SendReport:
    """Send all; ``advanced`` gets how many more were answered.

    An event without an id is given one of its content and of how often it came before, so that the same file may be
    sent again. NotReady when the server takes nothing for ``patience_seconds``; what was answered until then is kept.
    BadRequest where it refuses a batch.
    """
    found = SendReport()
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        for batch in batches(identified(events)):
            for verdict in _answered(client, f"{url}/v1/events", batch, patience_seconds, rest):
                found.verdicts[verdict["verdict"]] += 1
                if verdict["reason"]:
                    found.reasons[verdict["reason"]] += 1
            advanced(len(batch))
    return found


def read_events(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file of JSON lines, CSV or Parquet whose columns are called as the fields of an event.

    MissingInput without the file, DataError for one that cannot be read.
    """
    if not path.is_file():
        raise MissingInput("file", str(path))
    if path.suffix in (".jsonl", ".ndjson", ".json"):
        yield from _lines(path)
        return
    try:
        rows = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        typed = rows.with_columns(pl.col(name).cast(type) for name, type in NUMBERS.items() if name in rows.columns)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"'{path}' cannot be read: {one_line(str(error))}.") from error
    for row in typed.iter_rows(named=True):
        yield {name: _plain(name, value) for name, value in row.items() if value is not None}


def identified(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Each with an id."""
    seen = Counter[str]()
    for event in events:
        if isinstance(event, dict) and event.get(EVENT_ID) is None:
            content = content_id(event)
            seen[content] += 1
            event = event | {EVENT_ID: content if seen[content] == 1 else f"{content}-{seen[content]}"}
        yield event


def batches(events: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """As many as one request may have."""
    batch, size = list[dict[str, Any]](), 0
    for event in events:
        bytes_ = len(json.dumps(event)) + 2
        if batch and (len(batch) == MAX_EVENTS or size + bytes_ > MAX_BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += bytes_
    if batch:
        yield batch


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            if text.strip():
                try:
                    yield json.loads(text)
                except ValueError as error:
                    raise DataError(f"Line {number:,} of '{path}' is no JSON: {one_line(str(error))}.") from error


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value if name in NUMBERS or isinstance(value, dict) else str(value)


def _answered(
    client: httpx.Client, url: str, batch: list[dict[str, Any]], patience: float, rest: Callable[[float], None]
) -> list[dict[str, Any]]:
    waited = 0.0
    while True:
        try:
            answer = client.post(url, json={"events": batch})
        except httpx.TransportError as error:
            wait, why = 1.0, f"nothing answers ({error})"
        else:
            if answer.status_code == 200:
                verdicts: list[dict[str, Any]] = answer.json()["verdicts"]
                return verdicts
            if answer.status_code != 503:
                raise BadRequest(f"{url} answers with status {answer.status_code}: {detail_of(answer)}")
            wait, why = float(answer.headers.get("retry-after", 1)), detail_of(answer)
        if waited + wait > patience:
            raise NotReady(f"{url} has taken no events for {waited:.0f} s: {why}. Send the file again later.")
        rest(wait)
        waited += wait
