"""Who made an alias mean another bundle, when and why: a record before the change, a mark after it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from remora.control.traffic import PRODUCTION, BundleName
from remora.core.errors import BadRequest, UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document

FOLDER = "bundles/promotions"
DONE, CUT_OFF = ".done", ".cut-off"
TIME = "%Y%m%dT%H%M%S.%f"
NAME = re.compile(r"\d{8}T\d{6}\.\d{6}-[0-9a-f]+(-[a-z]+)?")
"""Of a record without its suffix; other files of the folder are no records."""

PROMOTION: Literal["promotion"] = "promotion"
ROLLBACK: Literal["rollback"] = "rollback"
MOST_EVIDENCE_BYTES = 256 << 10


class Promotion(BaseModel):
    """One change of one alias; ``done`` is False when the process died before the alias was moved, or just after."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    alias: str
    bundle: BundleName
    previous: BundleName | None
    by: str
    why: str
    kind: Literal["promotion", "rollback"] = PROMOTION
    evidence: dict[str, Any] | None = None
    done: bool = False


@dataclass(frozen=True, kw_only=True)
class DamagedRecord:
    """A record that cannot be read, which counts for nothing. ``alias`` is None where its name does not say it."""

    path: str
    at: datetime
    alias: str | None
    problem: str

    def error(self, alias: str) -> UnreadableInput:
        """What whoever needs it raises."""
        mend = f"`remora bundle promote ID --alias {alias}`"
        if alias == PRODUCTION:  # gates would have nothing to compare with
            mend = "`remora rollback --to ID` or `remora bundle promote ID --force --why REASON`"
        what = f"It is the last promotion record of the alias {alias}, so nothing says what that means."
        return UnreadableInput(self.path, self.problem, f"{what} {mend} writes a new one.")


@dataclass(frozen=True)
class AliasRecord:
    """What the records say of one alias: ``bundle`` by the last one that is done and can be read, by key one begun
    after it, and a later one that cannot be read."""

    bundle: str | None = None
    pending: tuple[str, Promotion] | None = None
    damaged: DamagedRecord | None = None


@dataclass(frozen=True)
class Promotions:
    """Append-only: one file a promotion, never written twice, so any number of processes can write."""

    home: Home

    def begin(self, promotion: Promotion) -> str:
        """Record what is about to be done; returns the key for :meth:`finish`.

        Keys sort by time and name the alias, so that the last record of an alias is found without reading the others.
        """
        # The random part keeps two processes apart that begin in one microsecond.
        key = f"{FOLDER}/{promotion.at:{TIME}}-{uuid.uuid4().hex[:8]}-{promotion.alias}"
        self.home.write_json(f"{key}.json", promotion.model_dump(mode="json", exclude={"done"}))
        return key

    def finish(self, key: str) -> None:
        """Mark it as done."""
        self.home.write_bytes(key + DONE, b"")

    def cut_off(self, key: str) -> None:
        """Mark it as given up: its alias had not moved, and nothing completes it any more."""
        self.home.write_bytes(key + CUT_OFF, b"")

    def all(self) -> list[Promotion]:
        """Every promotion whose record can be read, oldest first."""
        return [record for record in self.records() if isinstance(record, Promotion)]

    def records(self) -> list[Promotion | DamagedRecord]:
        """Every record, oldest first."""
        names = set(self.home.files(FOLDER))
        return [self._read(name, names) for name in _records(names)]

    def last(self, alias: str) -> AliasRecord:
        """What the records say of one alias now."""
        names, pending, damaged = set(self.home.files(FOLDER)), None, None
        newest = True
        for name in reversed(_records(names)):
            if _alias(name) not in (alias, None):
                continue
            promotion = self._read(name, names)
            if isinstance(promotion, DamagedRecord):
                if name + CUT_OFF not in names:  # of one that was given up, it does not matter what it says
                    damaged = damaged or promotion
                newest = False
                continue
            if promotion.alias != alias:
                continue
            if promotion.done:
                return AliasRecord(promotion.bundle, pending, damaged)
            if newest and name + CUT_OFF not in names:
                pending = (f"{FOLDER}/{name}", promotion)
            newest = False
        return AliasRecord(None, pending, damaged)

    def latest(self) -> datetime | None:
        """The time of the newest record, which the next one must be after, whatever the clocks of its host say."""
        names = _records(self.home.files(FOLDER))
        return _time(names[-1]) if names else None

    def _read(self, name: str, names: Collection[str]) -> Promotion | DamagedRecord:
        path = f"{FOLDER}/{name}.json"
        try:
            promotion = read_document(self.home, path, Promotion, "")
        except UnreadableInput as error:
            where, why, _ = error.args
            return DamagedRecord(path=where, at=_time(name), alias=_alias(name), problem=why)
        return promotion.model_copy(update={"done": name + DONE in names})


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
    found = (name.removesuffix(".json") for name in names if name.endswith(".json"))
    return sorted(name for name in found if NAME.fullmatch(name) and _is_time(name))


def _time(name: str) -> datetime:
    return datetime.strptime(name.split("-")[0], TIME).replace(tzinfo=UTC)


def _is_time(name: str) -> bool:
    try:
        _time(name)
    except ValueError:
        return False
    return True


def _alias(name: str) -> str | None:
    """The alias that a record's name says; None for the names of earlier versions, which leave it out."""
    return name.split("-", 2)[2] if name.count("-") > 1 else None
