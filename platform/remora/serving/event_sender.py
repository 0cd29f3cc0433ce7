"""Sends events of a file to a running app: in batches, again where the server cannot take them now, each once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from remora.core.errors import BadRequest, NotReady
from remora.core.http_answers import answer_as, checked_url, detail_of, seconds_to_wait
from remora.core.tables import EVENT_ID
from remora.events.contract import content_id
from remora.events.intake import ACCEPTED, DUPLICATE, QUARANTINED
from remora.events.verdicts_answer import SentVerdict, VerdictsAnswer
from remora.serving.client import TIMEOUT_SECONDS
from remora.serving.event_schemas import MAX_EVENTS

MAX_BATCH_BYTES = 200_000
PATIENCE_SECONDS = 60.0
"""So long a batch is tried again while the server answers 503, or nothing answers any more."""


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
    BadRequest where it refuses a batch, and for what is no URL.
    """
    found, where = SendReport(), f"{checked_url(url)}/v1/events"
    with httpx.Client(timeout=TIMEOUT_SECONDS) as client:
        for batch in batches(identified(events)):
            for verdict in _answered(client, where, batch, patience_seconds, rest):
                found.verdicts[verdict.verdict] += 1
                if verdict.reason:
                    found.reasons[verdict.reason] += 1
            advanced(len(batch))
    return found


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


def _answered(
    client: httpx.Client, url: str, batch: list[dict[str, Any]], patience: float, rest: Callable[[float], None]
) -> list[SentVerdict]:
    waited = 0.0
    while True:
        try:
            answer = client.post(url, json={"events": batch})
        except httpx.RequestError as error:
            wait, why = 1.0, f"nothing answers ({error})"
        else:
            if answer.status_code == 200:
                return answer_as(answer, VerdictsAnswer).verdicts
            if answer.status_code != 503:
                raise BadRequest(f"{url} answers with status {answer.status_code}: {detail_of(answer)}")
            wait, why = seconds_to_wait(answer), detail_of(answer)
        if waited + wait > patience:
            raise NotReady(f"{url} has taken no events for {waited:.0f} s: {why}. Send the file again later.")
        rest(wait)
        waited += wait
