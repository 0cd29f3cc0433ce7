"""A rollout as a document of the home, with a journal of every change; it outlives whoever carries it out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from remora.control.replica_status import RequestStats
from remora.control.traffic import BundleName
from remora.core.errors import NotBuilt, NotFound, UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.core.printable import one_line
from remora.release.rollout.counters import StepCounters
from remora.release.rollout.plan import Plan, PlanRefused, RolloutStep, StepKind
from remora.release.rollout.readout import Readout

FOLDER = "rollouts"
CURRENT = f"{FOLDER}/CURRENT"
CONTROLLER = f"{FOLDER}/.controller"
"""The lock that whoever carries a rollout out holds while it lives."""

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
LOST = (
    "Put the file of a backup in its place. Without one, `remora rollback --to ID` makes a bundle production and drops "
    "canary and shadow; then remove rollouts/CURRENT of the home, and `remora rollout start` begins another."
)

PREFLIGHT, LOAD = -2, -1
"""Stages before the plan's steps, which are counted from 0."""


class Status(StrEnum):
    """How a rollout stands."""

    RUNNING = "running"
    PAUSED = "paused"
    ROLLING_BACK = "rolling back"
    DONE = "done"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"

    @property
    def ended(self) -> bool:
        """Will nothing change any more?"""
        return self in (Status.DONE, Status.ROLLED_BACK, Status.ABORTED)


class Entry(BaseModel):
    """One line of the journal."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    at: datetime
    stage: str
    what: str
    why: tuple[str, ...] = ()
    by: str | None = None
    readout: Readout | None = None


class Rollout(BaseModel):
    """All that a controller needs in order to continue where another died."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    id: str
    bundle: BundleName
    production: BundleName
    previous: BundleName | None
    """What was kept warm before."""
    plan: str
    by: str
    why: str
    started_at: datetime
    status: Status = Status.RUNNING
    ending: Status | None = None
    """What it will be once it is rolled back."""
    stage: int = PREFLIGHT
    since: datetime | None = None
    """When the stage was activated; None until then."""
    paused_at: datetime | None = None
    low_traffic: bool = False
    """Did it pause itself, for want of traffic?"""
    promotions: int = 0
    """How many there were when the last step was entered: later ones are this rollout's, or another's."""
    counters: StepCounters = StepCounters()
    slow_after: int = 0
    baseline: RequestStats = RequestStats()
    """Production's answers before the candidate became production, for the watch."""
    processed: tuple[str, ...] = ()
    readout: Readout | None = None
    journal: tuple[Entry, ...] = ()

    @model_validator(mode="after")
    def _has_its_stage(self) -> Self:
        if not PREFLIGHT <= self.stage < len(self.steps):
            raise ValueError(f"the plan has no stage {self.stage}")
        return self

    @property
    def steps(self) -> tuple[RolloutStep, ...]:
        """Of the plan."""
        return Plan.parse(self.plan).steps

    @property
    def step(self) -> RolloutStep | None:
        """The plan's step that it is at; None while the candidate is in preflight or loaded."""
        return self.steps[self.stage] if self.stage >= 0 else None

    @property
    def is_full(self) -> bool:
        """Is it at the step that makes the candidate production?"""
        return self.step is not None and self.step.kind is StepKind.FULL

    @property
    def stage_name(self) -> str:
        """For people."""
        return {PREFLIGHT: "preflight", LOAD: "load"}.get(self.stage) or str(self.step)

    def seconds(self, now: datetime) -> float:
        """Since the stage was activated, less the pause that it is in."""
        if self.since is None:
            return 0.0
        return max(0.0, ((self.paused_at or now) - self.since).total_seconds())

    def evidence(self) -> dict[str, Any]:
        """What the rollout saw until now, as a small document: the plan, and the last readout of every step."""
        last = {entry.stage: entry.readout for entry in self.journal if entry.readout is not None}
        seen = {stage: json.loads(readout.model_dump_json()) for stage, readout in last.items()}
        return {"rollout": self.id, "plan": self.plan, "against": self.production, "steps": seen}

    def with_entry(
        self,
        at: datetime,
        what: str,
        why: tuple[str, ...] = (),
        by: str | None = None,
        *,
        changes: Mapping[str, Any] | None = None,
    ) -> Self:
        """With a line more in the journal, and changes; the line names the stage before them."""
        entry = Entry(at=at, stage=self.stage_name, what=what, why=why, by=by, readout=self.readout)
        return self.model_copy(update={"journal": (*self.journal, entry), **(changes or {})})


@dataclass(frozen=True)
class Rollouts:
    """The rollouts of a home. Written by whoever holds the lock CONTROLLER; read by anybody."""

    home: Home

    def current(self) -> Rollout:
        """The one that runs, or ran last; NotBuilt before the first."""
        if not self.home.exists(CURRENT):
            raise NotBuilt("rollout", self.home.url, "remora rollout start --bundle ID --plan PLAN")
        id = self.home.read_bytes(CURRENT).decode(errors="replace")
        if not ID.fullmatch(id) or id not in self.ids():
            why = f"it names the rollout '{one_line(id, 60)}', which is not there"
            raise UnreadableInput(self.home.at(CURRENT), why, LOST)
        return self.read(id)

    def read(self, id: str) -> Rollout:
        """By its id; NotFound where none exists, UnreadableInput where its document is damaged."""
        path = f"{FOLDER}/{id}.json"
        try:
            return read_document(self.home, path, Rollout, LOST)
        except PlanRefused as error:
            raise UnreadableInput(self.home.at(path), f"its plan is wrong: {error}", LOST) from error
        except FileNotFoundError as error:
            known = ", ".join(self.ids()) or "none"
            raise NotFound("rollout", id, f"There is: {known}.") from error

    def ids(self) -> list[str]:
        """Of all rollouts, oldest first."""
        names = [name for name in self.home.files(FOLDER) if name.endswith(".json") and "/" not in name]
        return [name.removesuffix(".json") for name in names]

    def begin(self, rollout: Rollout) -> Rollout:
        """Write a new one, and make it the current one."""
        self.write(rollout)
        self.home.write_bytes(CURRENT, rollout.id.encode())
        return rollout

    def write(self, rollout: Rollout) -> Rollout:
        """Replace the document."""
        self.home.write_bytes(f"{FOLDER}/{rollout.id}.json", rollout.model_dump_json(indent=1).encode())
        return rollout
