"""What became of each run of the path: one JSON file a run, in the home."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document

log = logging.getLogger(__name__)

FOLDER = "runs"
LOCK = f"{FOLDER}/.lock"

Outcome = Literal["running", "succeeded", "failed", "died"]


class Record(BaseModel):
    """A part of a run's record: frozen, and nothing that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StepRecord(Record):
    """A step that ended."""

    name: str
    seconds: float
    unchanged: bool


class ErrorRecord(Record):
    """What a run failed with; ``step`` is None before the first."""

    step: str | None
    type: str
    message: str


class RunRecord(Record):
    """One run. ``died``: its process ended without a word, which the next look at the records finds out."""

    id: str
    by: str
    host: str
    pid: int
    since: str | None = Field(description="`last`: only files that are new were read")
    policy: str = Field(description="how far it goes: candidate, promote, rollout:PLAN")
    inputs: str = Field(description="fingerprint of the settings and the code")
    started_at: datetime
    ended_at: datetime | None = None
    outcome: Outcome = "running"
    step: str | None = Field(None, description="that it is at, or was at when it ended")
    steps: tuple[StepRecord, ...] = ()
    error: ErrorRecord | None = None
    lake: str | None = None
    last_event: datetime | None = None
    new: dict[str, Any] = Field({}, description="what was read for the lake: its metadata's `build`")
    nothing_new: bool = False
    bundle: str | None = None

    @property
    def seconds(self) -> float | None:
        """From start to end."""
        return (self.ended_at - self.started_at).total_seconds() if self.ended_at else None


@dataclass(frozen=True)
class Records:
    """The records of a home. Only who holds LOCK writes."""

    home: Home

    def write(self, record: RunRecord) -> RunRecord:
        """Write or replace one."""
        self.home.write_json(f"{FOLDER}/{record.id}.json", record.model_dump(mode="json"))
        return record

    def all(self) -> list[RunRecord]:
        """Every run, oldest first; without those that are damaged or that another version of Remora wrote otherwise."""
        found = []
        for name in sorted(self.home.files(FOLDER)):
            if name.endswith(".json"):
                try:
                    found.append(read_document(self.home, f"{FOLDER}/{name}", RunRecord, "The run is left out."))
                except UnreadableInput as error:
                    log.warning("%s", error)
        return found


def last_success(records: list[RunRecord]) -> RunRecord | None:
    """The newest run that succeeded."""
    return next((record for record in reversed(records) if record.outcome == "succeeded"), None)


def is_late(records: list[RunRecord], now: datetime, max_age_hours: float) -> bool:
    """Is the last success longer ago than the deadline, or is there none?"""
    success = last_success(records)
    if success is None or success.ended_at is None:
        return True
    return now - success.ended_at > timedelta(hours=max_age_hours)
