"""Why a step would run: in what its next version differs from the current one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from remora.steps import Provenance

MOST_CHARACTERS = 60
"""Of a value in a sentence."""

ABSENT = "absent"
"""Stands for a setting that one of two versions does not have."""


class ReasonKind(StrEnum):
    """What is different."""

    FIRST = "first"
    SETTING = "setting"
    INPUT = "input"
    FILES = "files"
    CODE = "code"
    LOST = "lost"
    STATE = "state"
    """Of what a step changes outside its artifacts: a registry, a store, an alias."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One sentence, and its parts for machines."""

    kind: ReasonKind
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"kind": str(self.kind), "text": self.text, **self.details}


UNRECORDED = Reason(kind=ReasonKind.CODE, text="the version of Remora that made it did not record its settings")


def first_reason(current: str | None) -> Reason:
    """Of a step without a version; ``current`` names one that is lost."""
    if current is None:
        return Reason(kind=ReasonKind.FIRST, text="it has never run")
    return Reason(kind=ReasonKind.LOST, text=f"its current version {current or '(unreadable)'} is gone")


def differences(before: Provenance, now: Provenance) -> Iterator[Reason]:
    """Settings, code and all else but inputs in which two provenances differ."""
    for path, old, new in _changed(before.settings, now.settings):
        text = f"{path}: {_shown(old)} → {_shown(new)}"
        yield Reason(kind=ReasonKind.SETTING, text=text, details={"setting": path, "before": old, "after": new})
    for package, old, new in _changed(before.code, now.code):
        details = {"package": package, "before": old, "after": new}
        yield Reason(kind=ReasonKind.CODE, text=f"{package} {_shown(old)} → {_shown(new)}", details=details)
    for name, old, new in _changed(before.others, now.others):
        text = f"the {name} changed"
        yield Reason(kind=ReasonKind.FILES, text=text, details={"what": name, "before": old, "after": new})


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, ABSENT), now.get(name, ABSENT)
        if old != new:
            yield name, old, new


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 1]}…"
