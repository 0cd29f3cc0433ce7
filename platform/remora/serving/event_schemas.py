"""What goes over the wire where events are sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from remora.core.vocabulary import MAX_ID_CHARACTERS
from remora.events.contract import FIELDS, MAX_CONTEXT_VALUES, REQUIRED
from remora.events.intake import ACCEPTED, DUPLICATE, QUARANTINED, IntakeVerdict
from remora.serving.schemas import RequestModel

MAX_EVENTS = 1_000
MAX_VALUES = 1 << 16
"""Of a body: so many values have a thousand events with a context each."""

_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS}
_OF_FIELDS: dict[str, dict[str, Any]] = {
    "event_id": _TEXT | {"description": "without one it is a hash of the content"},
    "event_timestamp": {"type": "string", "format": "date-time", "description": "when it happened; without one: now"},
    "value": {"type": "number"},
    "position": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
    "context": {
        "type": "object",
        "maxProperties": MAX_CONTEXT_VALUES,
        "additionalProperties": {"type": ["string", "number", "boolean"]},
    },
}
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {name: _OF_FIELDS.get(name, _TEXT) for name in FIELDS},
    "required": list(REQUIRED),
    "additionalProperties": False,
}
"""JSON Schema of an event that is accepted."""

ANY_EVENT: dict[str, Any] = {
    "anyOf": [EVENT_SCHEMA, {}],
    "description": "whatever is no such event is quarantined, and the rest of its request is not",
}

EXAMPLE: Any = {"user_id": "196", "item_id": "50", "event_type": "like", "event_timestamp": "2026-11-30T18:20:00Z"}


class EventsRequest(RequestModel):
    """Body of ``POST /v1/events``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [EXAMPLE]}]})

    events: Annotated[list[Any], Field(min_length=1, max_length=MAX_EVENTS, json_schema_extra={"items": ANY_EVENT})]


class EventVerdict(BaseModel):
    """What became of one event."""

    event_id: str = Field(description="its own or the one that it was given; empty where it has none")
    verdict: Literal["accepted", "duplicate", "quarantined"]
    reason: str = Field(description="why it is quarantined; else empty")


class EventsResponse(BaseModel):
    """What became of each event; all that is accepted or quarantined is on the disk."""

    accepted: int
    duplicates: int = Field(description="sent before, and kept once")
    quarantined: int = Field(description="they break the contract; kept apart, with their reasons")
    verdicts: list[EventVerdict] = Field(description="in the order of the request")

    @classmethod
    def of(cls, verdicts: list[IntakeVerdict]) -> EventsResponse:
        """Counted."""
        found = [one.verdict for one in verdicts]
        return cls(
            accepted=found.count(ACCEPTED),
            duplicates=found.count(DUPLICATE),
            quarantined=found.count(QUARANTINED),
            verdicts=[EventVerdict(event_id=v.event_id, verdict=v.verdict, reason=v.reason) for v in verdicts],
        )
