"""Who made an alias mean another bundle, when and why: a record before the change, a mark after it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from remora.contracts.errors import BadRequest
from remora.contracts.home import Home

FOLDER = "bundles/promotions"
DONE = ".done"
PROMOTION: Literal["promotion"] = "promotion"
ROLLBACK: Literal["rollback"] = "rollback"
MOST_EVIDENCE_BYTES = 256 << 10


class Promotion(BaseModel):
    """One change of one alias; ``done`` is False when the process died before the alias was moved, or just after."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    alias: str
    bundle: str
    previous: str | None
    by: str
    why: str
    kind: Literal["promotion", "rollback"] = PROMOTION
    evidence: dict[str, Any] | None = None
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
        return list(self._read().values())

    def unfinished(self) -> dict[str, Promotion]:
        """By key, those that are not done and that no later one of the same alias followed."""
        names = set(self.home.files(FOLDER))
        if all(name + DONE in names for name in _records(names)):
            return {}  # as nearly always, and nothing was read
        found = self._read()
        last = {promotion.alias: key for key, promotion in found.items()}
        return {key: p for key, p in found.items() if not p.done and last[p.alias] == key}

    def _read(self) -> dict[str, Promotion]:
        names = set(self.home.files(FOLDER))
        return {
            f"{FOLDER}/{name}": Promotion(**self.home.read_json(f"{FOLDER}/{name}.json"), done=name + DONE in names)
            for name in _records(names)
        }


def checked(evidence: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a decision was made on, as it is kept. BadRequest unless it is a small JSON document."""
    if evidence is None:
        return None
    try:
        written = json.dumps(evidence, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BadRequest(f"The evidence of a promotion is no JSON document: {error}.") from error
    if len(written) > MOST_EVIDENCE_BYTES:
        most = f"{MOST_EVIDENCE_BYTES:,} bytes"
        raise BadRequest(f"The evidence of a promotion has {len(written):,} bytes; at most {most} are kept.")
    kept: dict[str, Any] = json.loads(written)
    return kept


def _records(names: Iterable[str]) -> list[str]:
    return sorted(name.removesuffix(".json") for name in names if name.endswith(".json"))
