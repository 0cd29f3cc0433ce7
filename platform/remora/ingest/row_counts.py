"""Counts of rows of events: read, accepted, quarantined and why, and what the next files may change about that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from remora.core.tables import ITEM_ID, USER_ID

EXAMPLES = 5
"""Of each doubt, so many examples are kept: the first in alphabetical order, whatever files they come from."""


@dataclass(frozen=True, kw_only=True)
class RowCounts:
    """Sums over some files; those of two sets of files add up.

    ``reasons`` are quarantined rows by reason, ``days`` accepted events by day. ``unknown_items`` are what events were
    refused for, and ``first_future`` is the first instant of those that were refused because they were in the future.
    ``ids`` are the distinct ids of each kind that were asked for. ``doubts`` are rows by what they are doubted for
    (a row that came twice counts twice), ``examples`` a few values of each doubt.
    """

    rows: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    days: dict[date, int] = field(default_factory=dict)
    event_types: dict[str, int] = field(default_factory=dict)
    first: datetime | None = None
    last: datetime | None = None
    first_future: datetime | None = None
    unknown_items: frozenset[str] = frozenset()
    doubts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, frozenset[str]] = field(default_factory=lambda: {USER_ID: frozenset(), ITEM_ID: frozenset()})

    @property
    def accepted(self) -> int:
        """Events in the lake."""
        return sum(self.days.values())

    @property
    def quarantined(self) -> int:
        """Rows in the quarantine."""
        return sum(self.reasons.values())

    def __add__(self, other: RowCounts) -> RowCounts:
        """The counts of both."""
        return RowCounts(
            rows=self.rows + other.rows,
            reasons=_summed(self.reasons, other.reasons),
            days=_summed(self.days, other.days),
            event_types=_summed(self.event_types, other.event_types),
            first=_of_both(min, self.first, other.first),
            last=_of_both(max, self.last, other.last),
            first_future=_of_both(min, self.first_future, other.first_future),
            unknown_items=self.unknown_items | other.unknown_items,
            doubts=_summed(self.doubts, other.doubts),
            examples=merged_examples(self.examples, other.examples),
            ids={key: found | other.ids[key] for key, found in self.ids.items()},
        )

    def entries(self) -> dict[str, Any]:
        """As the metadata of the lake keeps them, all but the ids."""
        return {
            "first": _iso(self.first),
            "last": _iso(self.last),
            "first_future": _iso(self.first_future),
            "event_types": self.event_types,
            "days": {day.isoformat(): rows for day, rows in self.days.items()},
        }

    def counts(self) -> dict[str, Any]:
        """Rows in, accepted, quarantined and repeated, as for any table, and what rows are doubted for."""
        return {
            "rows": self.rows,
            "accepted": self.accepted,
            "quarantined": self.quarantined,
            "repeated": 0,
            "reasons": self.reasons,
            "doubts": self.doubts,
            "examples": self.examples,
        }


def row_counts_of(metadata: dict[str, Any], unknown_items: frozenset[str], ids: dict[str, frozenset[str]]) -> RowCounts:
    """The counts that the metadata keeps, with the ids, which are kept elsewhere."""
    counts = metadata["counts"]["events"]
    return RowCounts(
        rows=counts["rows"],
        reasons=counts["reasons"],
        days={date.fromisoformat(day): rows for day, rows in metadata["days"].items()},
        event_types=metadata["event_types"],
        first=_instant(metadata["first"]),
        last=_instant(metadata["last"]),
        first_future=_instant(metadata["first_future"]),
        unknown_items=unknown_items,
        doubts=counts["doubts"],
        examples=counts["examples"],
        ids=ids,
    )


def merged_examples(one: Mapping[str, Iterable[str]], other: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Of both, the first EXAMPLES in alphabetical order.

    >>> merged_examples({"padded": ["b "]}, {"padded": ["a "], "null": ["nan"]})
    {'null': ['nan'], 'padded': ['a ', 'b ']}
    """
    names = sorted({*one, *other})
    return {name: sorted({*one.get(name, ()), *other.get(name, ())})[:EXAMPLES] for name in names}


def _summed(one: dict, other: dict) -> dict:
    return dict(sorted((Counter(one) + Counter(other)).items()))


def _of_both(choose: Any, one: datetime | None, other: datetime | None) -> datetime | None:
    return choose((t for t in (one, other) if t is not None), default=None)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
