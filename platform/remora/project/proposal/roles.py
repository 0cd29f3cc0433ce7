"""Which columns of events are the user, the item and the time, and what else the contract has a place for?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from remora.core.errors import DataError
from remora.project.proposal.columns import ColumnFacts
from remora.project.proposal.event_types import rating_column
from remora.project.proposal.times import TimeReading, read_time
from remora.project.proposal.words import (
    AFTERWARDS,
    ARRIVAL,
    EVENT_TIME_FIRST,
    ID,
    ITEM,
    SESSION,
    USER,
    VALUE,
    is_time_name,
    likeness,
    tokens,
)

NOT_AN_EVENT = frozenset({"birth", "birthday", "dob", "release", "released", "expiry", "signup", "registered"})


@dataclass
class Roles:
    """Contract column -> source column, each with its reason; ``times`` are all columns that can be read as times."""

    columns: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    times: dict[str, TimeReading] = field(default_factory=dict)
    doubts: list[tuple[str, str]] = field(default_factory=list)

    def give(self, role: str, column: str, why: str) -> None:
        """Map a column."""
        self.columns[role], self.why[role] = column, why

    @property
    def time(self) -> TimeReading:
        """How the events' time is read."""
        return self.times[self.columns["event_timestamp"]]


def event_roles(
    columns: Mapping[str, ColumnFacts], given: Mapping[str, str], matched: Mapping[str, str], path: str, now: datetime
) -> Roles:
    """Roles by what the user says (``given``), by ids that are in another table (``matched``), by names and by values.

    DataError where there is no user, item or time, with the columns that there are and the option that names one.
    """
    roles = Roles(times={name: found for name, one in columns.items() if (found := read_time(one, now=now))})
    for role, name in given.items():
        roles.give(role, name, "as you say")
    _give_time(roles, columns, path)
    for role, name in matched.items():
        if role not in roles.columns and name not in roles.columns.values():
            roles.give(role, name, _described(columns[name]))
    for role, words, others in (("user_id", USER, ITEM), ("item_id", ITEM, USER)):
        if role not in roles.columns:
            _give_by_name(roles, role, columns, words, others)
    for role, option in (("user_id", "--user"), ("item_id", "--item")):
        if role not in roles.columns:
            _give_by_place(roles, role, option, columns, path)
    _give_others(roles, columns)
    return roles


def _give_time(roles: Roles, columns: Mapping[str, ColumnFacts], path: str) -> None:
    if (chosen := roles.columns.get("event_timestamp")) is not None:
        if chosen in roles.times:
            return
        raise DataError(
            f"'{chosen}' of {path} cannot be read as a time: it has e.g. {columns[chosen].examples()}. Write it in ISO "
            f"8601, or as seconds since 1970, or name another column with --time."
        )
    scored = []
    for place, (name, reading) in enumerate(roles.times.items()):
        own = set(tokens(name))
        score = 2.0 * is_time_name(name) + bool(own & EVENT_TIME_FIRST) - 3.0 * bool(own & (AFTERWARDS | NOT_AN_EVENT))
        score += 0.5 * (not reading.date_only) + 0.5 * (reading.distinct > 0.01 * len(reading.instants))
        score -= 5.0 * (reading.distinct == 1) + 1.0 * (columns[name].kind in ("integer", "number"))
        score -= 2.0 * columns[name].null_share
        scored.append((score, -place, name))
    if not scored:
        named = [name for name in columns if is_time_name(name)] or list(columns)
        some = "; ".join(f"'{name}' has e.g. {columns[name].examples(2)}" for name in named[:4])
        raise DataError(
            f"No column of {path} can be read as the time of events: {some}. Write times in ISO 8601 "
            f"(2024-01-31T14:05:00Z) or as seconds since 1970, and name the column with --time."
        )
    score, _, name = max(scored)
    reading = roles.times[name]
    others = [other for other in roles.times if other != name]
    why = f"{reading.why}; {reading.first:%Y-%m-%d} to {reading.last:%Y-%m-%d}"
    roles.give("event_timestamp", name, why)
    if not is_time_name(name) or score < 0:
        roles.doubts.append((f"Is '{name}' the time of the events ({why})?", "If not, name the column with --time."))
    elif rivals := [other for other in others if is_time_name(other) and not AFTERWARDS & set(tokens(other))]:
        roles.doubts.append(
            (f"'{name}' is taken for the time of the events, not '{rivals[0]}'", f"If not: --time {rivals[0]}.")
        )


def _give_by_name(
    roles: Roles, role: str, columns: Mapping[str, ColumnFacts], words: frozenset[str], others: frozenset[str]
) -> None:
    scored = []
    for place, (name, column) in enumerate(columns.items()):
        like = likeness(name, words)
        if name in roles.columns.values() or like < 1 or not _may_be_id(column):
            continue
        score = like - 0.4 * likeness(name, others) + 0.5 * bool(ID & set(tokens(name))) - column.null_share
        scored.append((score, -place, name))
    if scored and max(scored)[0] >= 1.5:
        name = max(scored)[2]
        roles.give(role, name, f"by its name; {_described(columns[name])}")


def _give_by_place(roles: Roles, role: str, option: str, columns: Mapping[str, ColumnFacts], path: str) -> None:
    """No name tells: the first column with ids that come again."""
    rating = rating_column({name: one for name, one in columns.items() if name not in roles.columns.values()})
    left = [
        name
        for name, column in columns.items()
        if name not in roles.columns.values()
        and name not in roles.times
        and not (rating is not None and name == rating.name)
        and _may_be_id(column)
        and min(20, 0.2 * column.rows) <= column.distinct <= 0.95 * column.rows
    ]
    what = "a user's id" if role == "user_id" else "an item's id"
    if not left:
        known = "; ".join(f"'{name}' ({column.kind}, e.g. {column.examples(2)})" for name, column in columns.items())
        raise DataError(
            f"No column of {path} looks like {what}: there is {known}. Name it with {option} COLUMN; a table without "
            f"one holds no events that Remora can learn from."
        )
    roles.give(role, left[0], f"its values are ids that come again; {_described(columns[left[0]])}")
    roles.doubts.append((f"Is '{left[0]}' {what}? No name says so", f"If not, name the column with {option}."))


def _give_others(roles: Roles, columns: Mapping[str, ColumnFacts]) -> None:
    """What may be mapped beside the required columns."""
    for name, column in columns.items():
        own, used = tokens(name), roles.columns.values()
        if name in used or column.kind in ("other", "empty", "list"):
            continue
        unique = column.distinct == column.rows and not column.null_share
        if unique and own in (("event", "id"), ("id",), ("uuid",), ("event", "uuid"), ("row", "id"), ("review", "id")):
            _once(roles, "event_id", name, "unique: it names the event")
        elif likeness(name, SESSION) == 3 and _may_be_id(column) and not unique and name not in roles.times:
            _once(roles, "session_id", name, f"{column.distinct:,} sessions or orders")
        elif own in (("request", "id"), ("impression", "id")):
            _once(roles, "request_id", name, "names the request")
        elif own in (("position",), ("slot",)) and column.kind == "integer":
            _once(roles, "position", name, "where the item stood")
        elif own in (("propensity",), ("propensity", "score")) and column.kind == "number":
            _once(roles, "propensity", name, "the probability that it was shown")
        elif ARRIVAL & set(own) and not column.null_share and _after(roles, name):
            _once(roles, "known_timestamp", name, "when the event arrived: features know it from then on")
    value = rating_column(columns) or _value(columns, roles)
    if value is not None and value.name not in roles.columns.values():
        roles.give("value", value.name, f"{value.low:g} to {value.high:g}")


def _after(roles: Roles, name: str) -> bool:
    """Is it a time, read like that of the events (a source has one way), and never before it?"""
    reading = roles.times.get(name)
    if reading is None or reading.options != roles.time.options:
        return False
    return len(reading.instants) == len(roles.time.instants) and bool((reading.instants >= roles.time.instants).all())


def _once(roles: Roles, role: str, name: str, why: str) -> None:
    if role not in roles.columns:
        roles.give(role, name, why)


def _value(columns: Mapping[str, ColumnFacts], roles: Roles) -> ColumnFacts | None:
    """The first amount of money, or the like."""
    for name, column in columns.items():
        named = set(tokens(name)) & VALUE and not set(tokens(name)) & ID
        if named and column.kind in ("integer", "number") and name not in roles.columns.values():
            return column
    return None


def _may_be_id(column: ColumnFacts) -> bool:
    ids = column.kind in ("integer", "text") or (column.kind == "number" and _whole(column))
    return ids and column.distinct >= 2 and column.null_share < 0.9


def _whole(column: ColumnFacts) -> bool:
    numbers = column.numbers.drop_nulls()
    return bool((numbers == numbers.floor()).all())


def _described(column: ColumnFacts) -> str:
    each = column.rows * (1 - column.null_share) / max(column.distinct, 1)
    missing = f", {column.null_share:.1%} without one" if column.null_share > 0 else ""
    return f"{column.distinct:,} different, {each:.1f} rows each{missing}"
