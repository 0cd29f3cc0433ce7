"""What operators ask of a rollout that another process carries out: one file per command, never written twice."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from remora.core.errors import UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.release.rollout.state import FOLDER, Rollout, Status


class Action(StrEnum):
    """What can be asked."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class Command(BaseModel):
    """Who asks what, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Action
    by: str
    why: str = ""


@dataclass(frozen=True)
class CommandQueue:
    """The commands of one rollout; those that were processed are named in its document."""

    home: Home
    rollout: str

    @property
    def _folder(self) -> str:
        return f"{FOLDER}/{self.rollout}/commands"

    def ask(self, command: Command) -> str:
        """Write it down; returns its key."""
        key = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
        self.home.write_bytes(f"{self._folder}/{key}.json", command.model_dump_json().encode())
        return key

    def pending(self, processed: Collection[str]) -> dict[str, Command | UnreadableInput]:
        """By key, oldest first; why it cannot be read, of one that is damaged."""
        keys = [name.removesuffix(".json") for name in self.home.files(self._folder) if name.endswith(".json")]
        return {key: self._read(key) for key in keys if key not in processed}

    def _read(self, key: str) -> Command | UnreadableInput:
        try:
            return read_document(self.home, f"{self._folder}/{key}.json", Command, "Give the command again.")
        except UnreadableInput as error:
            return error


def processed(rollout: Rollout, key: str, command: Command | UnreadableInput, now: datetime) -> Rollout:
    """The rollout after a command; one that cannot be read, or does not fit how it stands, is only noted."""
    if isinstance(command, UnreadableInput):
        unread = {"processed": (*rollout.processed, key)}
        return rollout.with_entry(now, "a command cannot be read: nothing was done", (str(command),), changes=unread)
    why = (command.why,) if command.why else ()
    done = {"processed": (*rollout.processed, key)}
    match command.what, rollout.status:
        case Action.PAUSE, Status.RUNNING:
            return rollout.with_entry(
                now, "paused", why, command.by, changes={"status": Status.PAUSED, "paused_at": now} | done
            )
        case Action.RESUME, Status.PAUSED:
            return rollout.with_entry(now, "resumed", why, command.by, changes=_going_on(rollout, now) | done)
        case Action.ABORT, Status.RUNNING | Status.PAUSED:
            changes = {"status": Status.ROLLING_BACK, "ending": Status.ABORTED, "paused_at": None}
            return rollout.with_entry(now, "aborted", why, command.by, changes=changes | done)
    said = f"asked to {command.what}, while {rollout.status}: nothing was done"
    return rollout.with_entry(now, said, why, command.by, changes=done)


def _going_on(rollout: Rollout, now: datetime) -> dict[str, object]:
    """The pause is no part of a step's time; after a pause for want of traffic the step's time starts over."""
    since = rollout.since
    if since is not None and rollout.paused_at is not None:
        since = now if rollout.low_traffic else since + (now - rollout.paused_at)
    return {"status": Status.RUNNING, "paused_at": None, "low_traffic": False, "since": since}
