"""What replicas say of themselves while they serve: which bundles are ready, and the results of requests, by bundle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document

FOLDER = "serving/live"
# fmt: off
LATENCY_BOUNDS_MS = (
    1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 250.0, 500.0, 1000.0, 3000.0,
)
# fmt: on
"""Upper bounds of the buckets of ``milliseconds``; one bucket more holds what is longer."""

EMPTY = (0,) * (len(LATENCY_BOUNDS_MS) + 1)


class Counters(BaseModel):
    """Sums since a replica started; sums of replicas add, and a later less an earlier one is what came between."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __add__(self, other: Self) -> Self:
        """Field by field."""
        return self._with(other, 1)

    def __sub__(self, other: Self) -> Self:
        """Field by field."""
        return self._with(other, -1)

    def _with(self, other: Self, sign: int) -> Self:
        sums: dict[str, Any] = {}
        for name, mine in self:
            theirs = getattr(other, name)
            if isinstance(mine, Counters):
                sums[name] = mine._with(theirs, sign)
            elif isinstance(mine, tuple):
                sums[name] = tuple(a + sign * b for a, b in zip(mine, theirs, strict=True))
            else:
                sums[name] = mine + sign * theirs
        return type(self)(**sums)


class RequestStats(Counters):
    """Answers of one bundle. One request may count in several of the fields that follow ``requests``."""

    requests: int = 0
    failed: int = Field(0, description="no slate of the pipeline, so the fallback chain or an error answered")
    deadline_exceeded: int = Field(0, description="later than the request's time")
    degraded: int = Field(0, description="a stage was skipped")
    underfilled: int = Field(0, description="fewer items than were asked for")
    unscored: int = Field(0, description="an item without a score from the ranker")
    milliseconds: tuple[int, ...] = Field(EMPTY, description="requests per bucket of latency")
    items: int = Field(0, description="that have a finite score: the sums of scores are of these")
    scores: float = Field(0.0, description="sum of their scores")
    squares: float = Field(0.0, description="sum of the scores' squares")


class ShadowStats(Counters):
    """Requests that were answered by production and then, aside, by the shadow."""

    answers: RequestStats = Field(RequestStats(), description="the shadow's; its deadline is the request's whole time")
    shown: RequestStats = Field(RequestStats(), description="the answers that they are compared with: time and scores")
    skipped: int = Field(0, description="not asked, because the replica was busy")
    overlap: float = Field(0.0, description="sum over requests of the share of items in both slates")

    @property
    def compared(self) -> int:
        """Requests that the shadow was asked."""
        return self.answers.requests


class ReplicaStatus(BaseModel):
    """One replica, whole; each report replaces the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replica: str
    deployment: str
    heartbeat: int = Field(description="grows with every report: where it stands still, the replica is gone or frozen")
    revision: int = Field(description="of the traffic that it follows")
    ready: tuple[str, ...] = Field((), description="bundles that are loaded and warmed up")
    refused: dict[str, str] = Field({}, description="bundles that could not be loaded, and why")
    answers: dict[str, RequestStats] = Field({}, description="by bundle; only of what takes requests in")
    shadowed: dict[str, ShadowStats] = Field({}, description="by the shadow's bundle")


@dataclass(frozen=True)
class ReplicaStatuses:
    """The reports of a home's replicas, one file each."""

    home: Home

    def write(self, report: ReplicaStatus) -> None:
        """Replace the replica's report."""
        self.home.write_bytes(f"{FOLDER}/{report.replica}.json", report.model_dump_json().encode())

    def read(self) -> dict[str, ReplicaStatus]:
        """By replica; of replicas that are gone as well, until they are removed."""
        found = {}
        for name in self.home.files(FOLDER):
            if name.endswith(".json"):
                try:
                    report = read_document(self.home, f"{FOLDER}/{name}", ReplicaStatus, "")
                except (FileNotFoundError, UnreadableInput):  # removed just now, damaged, or of another version
                    continue
                found[report.replica] = report
        return found

    def forget(self, quiet: timedelta, now: datetime) -> None:
        """Remove the reports of replicas that have said nothing for so long: they are gone, their sums with them."""
        for file in self.home.stored(FOLDER):
            if now - file.at > quiet:
                self.home.delete(f"{FOLDER}/{file.path}")
