"""Who made an alias mean another bundle, when and why: a record before the change, a mark after it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from remora.contracts.home import Home

FOLDER = "bundles/promotions"
DONE = ".done"


class Promotion(BaseModel):
    """One change of one alias; ``done`` is False when the process died before the alias was moved, or just after."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    alias: str
    bundle: str
    previous: str | None
    by: str
    why: str
    done: bool = False


@dataclass(frozen=True)
class Promotions:
    """Append-only: one file a promotion, never written twice, so any number of processes can write."""

    home: Home

    def begin(self, promotion: Promotion) -> str:
        """Record what is about to be done; returns the key for :meth:`finish`."""
        key = f"{FOLDER}/{promotion.at:%Y%m%dT%H%M%S.%f}-{uuid.uuid4().hex[:8]}"
        self.home.write_json(f"{key}.json", promotion.model_dump(mode="json", exclude={"done"}))
        return key

    def finish(self, key: str) -> None:
        """Mark it as done."""
        self.home.write_bytes(key + DONE, b"")

    def all(self) -> list[Promotion]:
        """Every promotion, oldest first."""
        names = self.home.files(FOLDER)
        records = [name.removesuffix(".json") for name in names if name.endswith(".json")]
        return [
            Promotion(**self.home.read_json(f"{FOLDER}/{name}.json"), done=name + DONE in names) for name in records
        ]
