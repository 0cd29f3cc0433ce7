"""What the columns of items and users are good for: title, category, features, or nothing, with the reason of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from remora.project.proposal.columns import ColumnFacts
from remora.project.proposal.leaks import EventsOfIds, aggregate, leak
from remora.project.proposal.times import read_time
from remora.project.proposal.words import (
    AVAILABLE,
    CATEGORY,
    ID,
    PERSONAL,
    SEGMENT,
    TEXTS,
    TITLE,
    is_time_name,
    short_name,
    tokens,
)

MOST_CATEGORIES = 2_000
FEW = 0.3
"""Of the rows: a text with more different values is no class that rows share."""

OF_EACH = 0.5
SEGMENTS = 50
NAMES = {"integer": "whole numbers", "number": "numbers", "boolean": "yes or no", "list": "lists", "text": "text"}


@dataclass
class ProfilePlan:
    """How a table of items or users is mapped: lake name -> source column, with the reason of each.

    ``left_out`` and ``leaks`` are (column, reason); ``features``, ``texts`` and the rest are lake names.
    """

    columns: dict[str, str] = field(default_factory=dict)
    why: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    features: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    title: str | None = None
    category: str | None = None
    available: str | None = None
    segment: str | None = None
    list_separator: str | None = None
    left_out: list[tuple[str, str]] = field(default_factory=list)
    leaks: list[tuple[str, str]] = field(default_factory=list)
    doubts: list[tuple[str, str]] = field(default_factory=list)

    def give(self, column: ColumnFacts, why: str, reserved: Sequence[str]) -> str:
        """Map a column under a name of its own."""
        name = short_name(column.name) or "column"
        if name in self.columns or name in reserved:
            name = column.name.replace(".", "_").lstrip("_")
        while name in self.columns or name in reserved:
            name = f"{name}_"
        self.columns[name], self.why[name] = column.name, why
        return name


def plan_profile(
    table: str,
    columns: Mapping[str, ColumnFacts],
    key: ColumnFacts,
    events: EventsOfIds,
    *,
    now: datetime,
    typed: bool,
) -> ProfilePlan:
    """Plan a table; ``typed`` says that its file has types of its own, and text need not be given one."""
    plan = ProfilePlan()
    reserved = ("user_id" if table == "users" else "item_id", "event_timestamp")
    left = {name: column for name, column in columns.items() if name != key.name}
    for name, column in list(left.items()):
        if (why := leak(column, key, events)) is not None:
            plan.leaks.append((name, why))
            del left[name]
        elif (why := _unusable(table, column, key, now)) is not None:
            plan.left_out.append((name, why))
            del left[name]
    title = _title(left, key) if table == "items" else None
    category = _category(left, title) if table == "items" else None
    separators = {name: column.separator for name, column in left.items() if column is not title and column.separator}
    plan.list_separator = _separator(separators, category)
    for name, column in left.items():
        kind = "list" if _is_list(column, plan.list_separator, separators, typed) else column.kind
        if column is title:
            _give_title(plan, column, reserved)
        elif table == "items" and _long_text(column, kind):
            given = plan.give(column, f"text of {column.words:.0f} words", reserved)
            plan.texts.append(given)
        elif (why := _too_many(column, kind)) is not None:
            plan.left_out.append((name, why))
        else:
            _give_feature(plan, column, kind, reserved, typed=typed)
            if column is category:
                plan.category = list(plan.columns)[-1]
    if table == "users":
        plan.segment = _segment(plan, left)
    elif category is not None and not any(word in tokens(category.name) for word in CATEGORY):
        plan.doubts.append(
            (
                f"Is '{category.name}' what groups items (e.g. {category.examples(2)})?",
                "Change `category`, or remove it.",
            )
        )
    return plan


def _unusable(table: str, column: ColumnFacts, key: ColumnFacts, now: datetime) -> str | None:
    own = tokens(column.name)
    if column.kind == "empty":
        return "no row has a value"
    if column.kind == "other":
        return f"of a type that is not read ({column.raw.dtype})"
    if column.kind != "list" and column.distinct == 1 and not column.null_share:
        return "the same in every row"
    if table == "users" and set(own) & PERSONAL:
        return "says who a person is, and is nearly a value for each"
    may_be_time = column.kind in ("time", "text") or (column.kind == "integer" and is_time_name(column.name))
    if may_be_time and (reading := read_time(column, now=now)) is not None and reading.distinct > 1:
        hint = "" if not set(own) & {"valid", "effective"} else "; map it to event_timestamp if rows hold from then on"
        return f"a time, which is no feature{hint}"
    if own and own[-1] in ID and column.kind != "list" and column.distinct > OF_EACH * max(key.distinct, 1):
        return f"another id: {column.distinct:,} different values"
    if column.kind == "integer" and not set(own) & {*TITLE} and _counts_rows(column):
        return "numbers the rows"
    return None


def _counts_rows(column: ColumnFacts) -> bool:
    """From 0 or 1 on, each row one more."""
    numbers = column.numbers.drop_nulls()
    steps = numbers.diff().drop_nulls()
    return column.rows > 2 and len(numbers) == column.rows and numbers[0] in (0, 1) and bool((steps == 1).all())


def _title(columns: Mapping[str, ColumnFacts], key: ColumnFacts) -> ColumnFacts | None:
    """By its name, the best first; without one, the text of several words that is nearly different for each item."""
    for word in TITLE:
        for column in columns.values():
            named = tokens(column.name)[-1:] == (word,) or (word in tokens(column.name) and column.kind == "text")
            if named and column.kind in ("text", "integer") and column.distinct > 0.2 * key.distinct:
                return column
    texts = [
        column
        for column in columns.values()
        if column.kind == "text" and column.words >= 1.5 and column.distinct > OF_EACH * key.distinct
    ]
    return min(texts, key=lambda column: column.words) if texts else None


def _category(columns: Mapping[str, ColumnFacts], title: ColumnFacts | None) -> ColumnFacts | None:
    """By its name, the best first; without one, the text that few values divide."""

    def groups(column: ColumnFacts) -> bool:
        if column.kind == "list" or column.separator:
            return True
        shared = 2 <= column.distinct <= min(MOST_CATEGORIES, OF_EACH * column.rows)
        return column.kind in ("text", "integer") and shared

    able = [column for column in columns.values() if column is not title and groups(column)]
    for word in CATEGORY:
        if found := [column for column in able if word in tokens(column.name)]:
            return min(found, key=lambda column: (column.kind == "integer", len(tokens(column.name))))
    texts = [column for column in able if column.kind == "text" and 3 <= column.distinct <= 0.2 * column.rows]
    return max(texts, key=lambda column: column.distinct) if texts else None


def _separator(separators: Mapping[str, str], category: ColumnFacts | None) -> str | None:
    """The one that a source can have: the category's, else the first."""
    if category is not None and category.name in separators:
        return separators[category.name]
    return next(iter(separators.values()), None)


def _is_list(column: ColumnFacts, separator: str | None, separators: Mapping[str, str], typed: bool) -> bool:
    if column.kind == "list":
        return True
    in_json = not typed and len(column.texts) > 0 and bool(column.texts.head(1_000).str.starts_with("[").all())
    if in_json and column.source.format == "jsonl":
        return True
    return separator is not None and separators.get(column.name) == separator


def _long_text(column: ColumnFacts, kind: str) -> bool:
    named = set(tokens(column.name)) & TEXTS
    return kind == "text" and (column.words >= 4 or (bool(named) and column.words >= 2)) and column.distinct > 20


def _too_many(column: ColumnFacts, kind: str) -> str | None:
    if kind == "text" and column.distinct > max(20, FEW * column.rows):
        return f"nearly a value for each row ({column.distinct:,} of {column.rows:,}): nothing to share"
    return None


def _give_title(plan: ProfilePlan, column: ColumnFacts, reserved: Sequence[str]) -> None:
    why = f"shown to people, e.g. {column.examples(2)}"
    plan.title = plan.give(column, why, reserved)
    if column.kind != "text":
        plan.types[plan.title] = "string"
        plan.doubts.append(
            (f"'{column.name}' has numbers, and is taken for the title", "Change `title` if that is wrong.")
        )
    plan.texts.insert(0, plan.title)


def _give_feature(plan: ProfilePlan, column: ColumnFacts, kind: str, reserved: Sequence[str], *, typed: bool) -> None:
    code = kind == "integer" and tokens(column.name)[-1:] and tokens(column.name)[-1] in ID
    named = set(tokens(column.name)) & AVAILABLE or {"in", "stock"} <= set(tokens(column.name))
    zero_one = kind == "integer" and set(column.ids.drop_nulls().unique()) == {"0", "1"}
    flag = bool(named) and (kind == "boolean" or zero_one) and reserved[0] == "item_id"
    missing = f", {column.null_share:.0%} without" if column.null_share >= 0.005 else ""
    why = f"{NAMES[kind]}{missing}, e.g. {column.examples(2)}" if kind != "list" else f"lists{missing}"
    name = plan.give(column, why, reserved)
    if flag and column.ids.drop_nulls().n_unique() > 1:
        plan.available, plan.types[name] = name, "boolean"
        plan.doubts.append((f"Does '{column.name}' say whether an item may be shown?", "If not, remove `available`."))
        return
    plan.features.append(name)
    if code:
        plan.types[name] = "string"
    elif kind == "list":
        plan.types |= {} if typed and column.kind == "list" else {name: "list[string]"}
    elif not typed and kind in ("integer", "number", "boolean"):
        plan.types[name] = kind
    if aggregate(column):
        plan.doubts.append(
            (
                f"Is '{column.name}' computed from these events? Then it knows what is to be predicted",
                f"If so, take `{name}` out of the features.",
            )
        )


def _segment(plan: ProfilePlan, columns: Mapping[str, ColumnFacts]) -> str | None:
    """The users' column that says most about people without a history: by its name, and of few values."""
    named = {name: columns[source] for name, source in plan.columns.items() if name in plan.features}
    able = {
        name: one for name, one in named.items() if one.kind in ("text", "boolean") and 2 <= one.distinct <= SEGMENTS
    }
    for word in SEGMENT:
        for name, column in able.items():
            if word in tokens(column.name):
                return name
    return next(iter(able), None)
