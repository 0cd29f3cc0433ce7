"""The columns of an item or user that is sent, held against those of the lake that serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from remora.core.errors import BadRequest
from remora.core.tables import EVENT_TIMESTAMP, TIMESTAMP
from remora.events.contract import finite_number, instant_of
from remora.events.entity_update import EntityKind
from remora.ingest.schema import DELETED, KEY_OF
from remora.ingest.sent_updates import MEMBERS

MAX_SHOWN = 40
"""Characters of a value that an answer repeats."""


class UnfitColumns(BadRequest):
    """Columns that the lake does not have, or whose values are of another type: ``mistakes`` by the column's name."""

    def __init__(self, mistakes: Mapping[str, str]) -> None:
        super().__init__(dict(mistakes))
        self.mistakes = dict(mistakes)

    def __str__(self) -> str:
        """The first three; how many more there are."""
        some = list(self.mistakes.values())[:3]
        more = len(self.mistakes) - len(some)
        return f"{'; '.join(some)}{f'; and {more:,} more mistakes' if more else ''}. Nothing of this request was kept."


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _integer(value: Any) -> int:
    """JSON has one kind of number, and 14.0 is an integer to it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise ValueError
    # Beyond 2**53 a float cannot tell neighbouring whole numbers apart.
    if not -(2**63) <= value < 2**63 or (isinstance(value, float) and abs(value) > 2**53):
        raise ValueError
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError
    return value


def _instant(value: Any) -> str:
    return instant_of(value).isoformat(timespec="microseconds")


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one and MEMBERS not in one for one in value):
        raise ValueError
    return value


READERS: Mapping[str, tuple[Callable[[Any], Any], str]] = {
    str(pa.string()): (_text, "text"),
    str(pa.float64()): (finite_number, "a number"),
    str(pa.int64()): (_integer, "an integer"),
    str(pa.bool_()): (_truth, "true or false"),
    str(TIMESTAMP): (_instant, "a time (RFC 3339 with its offset, such as 2026-11-30T18:20:00Z)"),
    str(pa.list_(pa.string())): (_texts, "a list of texts, none of them empty"),
}
"""What a value of each type of the lake is read by, and how that is called."""


OF_TYPES: Mapping[str, dict[str, Any]] = {
    str(pa.string()): {"type": "string"},
    str(pa.float64()): {"type": "number"},
    str(pa.int64()): {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    str(pa.bool_()): {"type": "boolean"},
    str(TIMESTAMP): {"type": "string", "format": "date-time"},
    str(pa.list_(pa.string())): {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "pattern": f"^[^{MEMBERS}]+$"},
    },
}
"""JSON Schema of the same."""


@dataclass(frozen=True, kw_only=True)
class EntityContract:
    """What columns are held against: their types in the lake, by name, as :data:`READERS` has them."""

    kind: EntityKind
    types: Mapping[str, str]

    @classmethod
    def of(cls, kind: EntityKind, schema: pa.Schema) -> EntityContract:
        """Of the table of a lake."""
        own = (KEY_OF[kind], EVENT_TIMESTAMP, DELETED)
        types = {field.name: str(field.type).replace("element: ", "item: ") for field in schema}
        return cls(kind=kind, types={name: type for name, type in types.items() if name not in own})

    def accept(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns as the log has them, without those that are null. UnfitColumns says what is wrong with each."""
        found, mistakes = dict[str, Any](), dict[str, str]()
        for name, value in columns.items():
            if name not in self.types:
                known = ", ".join(self.types) or "none"
                mistakes[name] = f"the {self.kind} have no column '{name[:MAX_SHOWN]}'; they have: {known}"
            elif value is not None:
                read, called = READERS[self.types[name]]
                try:
                    found[name] = read(value)
                except (ValueError, OverflowError):
                    mistakes[name] = f"{name} takes {called}, and not {_shown(value)}"
        if mistakes:
            raise UnfitColumns(mistakes)
        return found


def _shown(value: Any) -> str:
    text = repr(value[:MAX_SHOWN] if isinstance(value, str | list) else value)
    return text if len(text) <= 2 * MAX_SHOWN else f"{text[: 2 * MAX_SHOWN]}…"
