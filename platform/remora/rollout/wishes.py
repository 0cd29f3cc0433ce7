"""What people ask of a rollout that another process carries out: a file a wish, never written twice."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from remora.contracts.home import Home
from remora.rollout.state import FOLDER, Rollout, Status


class What(StrEnum):
    """What can be asked."""

    PAUSE = "pause"
    RESUME = "resume"
    ABORT = "abort"


class Wish(BaseModel):
    """Who asks what, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: What
    by: str
    why: str = ""


@dataclass(frozen=True)
class Wishes:
    """The wishes of one rollout; those that were heard are named in its document."""

    home: Home
    rollout: str

    @property
    def _folder(self) -> str:
        return f"{FOLDER}/{self.rollout}/asked"

    def ask(self, wish: Wish) -> str:
        """Write it down; returns its key."""
        key = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
        self.home.write_bytes(f"{self._folder}/{key}.json", wish.model_dump_json().encode())
        return key

    def unheard(self, heard: Collection[str]) -> dict[str, Wish]:
        """By key, oldest first."""
        keys = [name.removesuffix(".json") for name in self.home.files(self._folder) if name.endswith(".json")]
        return {
            key: Wish.model_validate_json(self.home.read_bytes(f"{self._folder}/{key}.json"))
            for key in keys
            if key not in heard
        }


def heard(rollout: Rollout, key: str, wish: Wish, now: datetime) -> Rollout:
    """The rollout after a wish; one that does not fit how it stands is only noted."""
    why = (wish.why,) if wish.why else ()
    done = {"heard": (*rollout.heard, key)}
    match wish.what, rollout.status:
        case What.PAUSE, Status.RUNNING:
            return rollout.noted(
                now, "paused", why, wish.by, changes={"status": Status.PAUSED, "paused_at": now} | done
            )
        case What.RESUME, Status.PAUSED:
            return rollout.noted(now, "resumed", why, wish.by, changes=_going_on(rollout, now) | done)
        case What.ABORT, Status.RUNNING | Status.PAUSED:
            leaving = {"status": Status.LEAVING, "ending": Status.ABORTED, "paused_at": None}
            return rollout.noted(now, "aborted", why, wish.by, changes=leaving | done)
    said = f"asked to {wish.what}, while {rollout.status}: nothing was done"
    return rollout.noted(now, said, why, wish.by, changes=done)


def _going_on(rollout: Rollout, now: datetime) -> dict[str, object]:
    """The pause is no part of a step's time; after a pause for want of traffic the step's time begins anew."""
    since = rollout.since
    if since is not None and rollout.paused_at is not None:
        since = now if rollout.starved else since + (now - rollout.paused_at)
    return {"status": Status.RUNNING, "paused_at": None, "starved": False, "since": since}
