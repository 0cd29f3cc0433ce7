"""The checks of what an ingest reads: each is a function from the facts of the whole to findings, and a line in CHECKS.

An error only where the reading is certainly wrong; what may be meant is a warning that gives counts and examples. The
table of codes is in docs/reference/data_tables.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID
from remora.core.vocabulary import MAX_ID_CHARACTERS
from remora.ingest import doubts
from remora.ingest.contract import EARLY, FUTURE, UNDECLARED, UNKNOWN_ITEM
from remora.ingest.divided import backslash_quotes, list_separator, swallowed_lines
from remora.ingest.facts import Check, Facts
from remora.ingest.findings import Finding
from remora.ingest.number_reading import thousands_points
from remora.ingest.schema import KEY_OF

NEARLY_ALL = 0.99
NEARLY_NONE = 0.01

_LEAST_ITEMS, _OWN_CATEGORY = 50, 0.9

_SAMPLE = 10_000
"""Of unknown ids, so many are compared with the known ones in other spellings."""


def findings(facts: Facts, checks: Iterable[Check] | None = None) -> list[Finding]:
    """Everything that the checks find (CHECKS, if none are given), errors first."""
    found = [finding for check in (CHECKS if checks is None else checks) for finding in check(facts)]
    return sorted(found, key=lambda finding: finding.level != "error")


def skipped_files(facts: Facts) -> Iterator[Finding]:
    """Files in the directories of the sources that are hidden or of another format."""
    for name, table in facts.tables.items():
        if table.skipped:
            yield Finding(
                code="skipped_files",
                table=name,
                count=len(table.skipped),
                of=len(table.skipped) + len(table.paths),
                examples=table.skipped[:3],
                what=f"{len(table.skipped):,} files in the directories of {name} are not read: hidden ones (their name "
                f"or a folder's begins with . or _), or of another format.",
                advice="Move away what is left over; rename what belongs to the data.",
            )


def times_out_of_range(facts: Facts) -> Iterator[Finding]:
    """Events of the future, and of long ago."""
    late = facts.row_counts.reasons.get(FUTURE, 0)
    if late:
        yield Finding(
            code="future_events",
            table="events",
            column=EVENT_TIMESTAMP,
            count=late,
            of=facts.validated,
            examples=() if facts.row_counts.first_future is None else (facts.row_counts.first_future.isoformat(),),
            what=f"{late:,} events are more than {facts.data.max_clock_skew_seconds:g} s in the future; the example is "
            f"the first.",
            advice="If the time is local, give `time.timezone`; if clocks differ, raise data.max_clock_skew_seconds.",
        )
    for reason, rows in facts.row_counts.reasons.items():
        if reason.startswith(EARLY):
            yield Finding(
                code="early_events",
                table="events",
                column=EVENT_TIMESTAMP,
                count=rows,
                of=facts.validated,
                what=f"{rows:,} events are of before {facts.data.earliest:%Y-%m-%d} (data.earliest).",
                advice="They come from a wrong unit, or stand for `none`; if they are meant, lower data.earliest.",
            )


def one_day(facts: Facts) -> Iterator[Finding]:
    """All events on one day, which leaves nothing to split by time."""
    if len(facts.row_counts.days) == 1 and facts.row_counts.accepted >= 100:
        (day,) = facts.row_counts.days
        yield Finding(
            code="one_day",
            table="events",
            column=EVENT_TIMESTAMP,
            count=facts.row_counts.accepted,
            of=facts.row_counts.accepted,
            what=f"All events are of {day:%Y-%m-%d}.",
            advice="If that is the day of the export, map the column that says when each event happened.",
        )


def items_after_events(facts: Facts) -> Iterator[Finding]:
    """Events that happened before the first version of their item."""
    rows, of = facts.doubt(doubts.ITEM_NOT_YET), facts.row_counts.accepted
    if rows > NEARLY_NONE * of:
        yield Finding(
            code="items_after_events",
            level="error" if rows >= NEARLY_ALL * of else "warning",
            table="items",
            column=EVENT_TIMESTAMP,
            count=rows,
            of=of,
            examples=facts.examples(doubts.ITEM_NOT_YET),
            what=f"{rows:,} of {of:,} events happened before the first version of their item, so the item was not in "
            f"the catalogue when it was wanted.",
            advice="event_timestamp of items is the time from which a row holds. If it is the time of the export or "
            "of the last change, do not map it.",
        )


def unknown_ids(facts: Facts) -> Iterator[Finding]:
    """Events of users and items that their tables do not have, above all where a spelling is the difference."""
    users = facts.doubt(doubts.USER_UNKNOWN)
    yield from _unknown("users", users, facts.examples(doubts.USER_UNKNOWN), facts)
    refused = facts.row_counts.reasons.get(UNKNOWN_ITEM, 0)
    items = sorted(facts.row_counts.unknown_items)[:_SAMPLE] if refused else facts.examples(doubts.ITEM_UNKNOWN)
    yield from _unknown("items", refused or facts.doubt(doubts.ITEM_UNKNOWN), items, facts)


def _unknown(table: str, rows: int, some: Iterable[str], facts: Facts) -> Iterator[Finding]:
    if not rows or not facts.catalogues[table].rows.num_rows:
        return
    known, unknown, of = facts.ids(table), list(some), facts.validated
    other = "items" if table == "users" else "users"
    respelt = {name: [id for id in unknown if spell(id) in others] for name, spell, others in _spellings(known)}
    name, alike = max(respelt.items(), key=lambda found: len(found[1]))
    swapped = [id for id in unknown if id in facts.ids(other)]
    if 2 * len(alike) >= len(unknown):
        level = "error" if 2 * rows >= of else "warning"
        what = f"{rows:,} of {of:,} events name {table} that differ from those of the table by {name}."
        advice, examples = f"Write {KEY_OF[table]} alike in both tables; `types` can make numbers of both.", alike
    elif 2 * len(swapped) >= len(unknown):
        level, examples = "error" if 2 * rows >= of else "warning", swapped
        what = f"{rows:,} of {of:,} events name {table} that are in the {other} table."
        advice = "Are user_id and item_id mapped to each other's columns?"
    elif rows > NEARLY_NONE * of:
        level, examples = "warning", unknown
        what = f"{rows:,} of {of:,} events name {table} that the table does not have (it has {len(known):,})."
        advice = f"Check that {KEY_OF[table]} means the same in both, and that the table is complete."
    else:
        return
    yield Finding(
        code=f"unknown_{table}",
        level="error" if level == "error" else "warning",
        table="events",
        column=KEY_OF[table],
        count=rows,
        of=of,
        examples=tuple(examples[:3]),
        what=what,
        advice=advice,
    )


def _spellings(known: frozenset[str]) -> Iterator[tuple[str, Callable[[str], str], frozenset[str]]]:
    for name, spell in (
        ("case or spaces", lambda id: id.strip().casefold()),
        ("zeros before a number", lambda id: id.lstrip("0") or "0"),
        ("zeros after the point", lambda id: id.rstrip("0").rstrip(".") if "." in id else id),
        ("quotes", lambda id: id.strip("\"'")),
    ):
        yield name, spell, frozenset(map(spell, known))


NAMED = {USER_ID: "a user_id", ITEM_ID: "an item_id"}


def doubtful_ids(facts: Facts) -> Iterator[Finding]:
    """Ids that say `no value` in words, that have spaces around them, or that no request can name."""
    for key in (USER_ID, ITEM_ID):
        for code, what, advice in (
            (
                doubts.NULL_TEXT,
                "that reads as `no value`",
                "Name such texts in `null_values` of the source, or filter them.",
            ),
            (
                doubts.SCIENTIFIC,
                "in scientific notation, which has lost digits",
                "Export ids as text: a program took them for numbers.",
            ),
            (
                doubts.PADDED,
                "with spaces around it",
                "The spaces are part of the id: take them out where it is written.",
            ),
            (
                doubts.DECOMPOSED,
                "with accents as characters of their own (Unicode's NFD), which is another id than the same in NFC",
                "Write ids in one form, NFC, everywhere.",
            ),
            (
                doubts.LONG,
                f"of more than {MAX_ID_CHARACTERS} characters, which no request may name",
                "Give them shorter ids, such as a hash, before they come here.",
            ),
        ):
            if rows := facts.doubt(f"{code}:{key}"):
                yield Finding(
                    code=code,
                    table="events",
                    column=key,
                    count=rows,
                    of=facts.validated,
                    examples=facts.examples(f"{code}:{key}"),
                    what=f"{rows:,} events have {NAMED[key]} {what}.",
                    advice=advice,
                )


def event_types(facts: Facts) -> Iterator[Finding]:
    """Types that only the settings have, and types that only the events have."""
    undeclared = facts.row_counts.reasons.get(UNDECLARED, 0)
    if undeclared:
        yield Finding(
            code="undeclared_event_types",
            table="events",
            column=EVENT_TYPE,
            count=undeclared,
            of=facts.validated,
            examples=facts.examples(doubts.TYPE_UNKNOWN),
            what=f"{undeclared:,} events are of types that data.event_types does not declare.",
            advice="Declare them (sign 0 for what says nothing about taste), or filter them.",
        )


def known_before_event(facts: Facts) -> Iterator[Finding]:
    """Events that were known before they happened."""
    if rows := facts.doubt(doubts.KNOWN_BEFORE):
        yield Finding(
            code="known_before_event",
            table="events",
            column=KNOWN_TIMESTAMP,
            count=rows,
            of=facts.validated,
            examples=facts.examples(doubts.KNOWN_BEFORE),
            what=f"{rows:,} events have a known_timestamp before their event_timestamp (the examples are items).",
            advice="known_timestamp is when an event arrived; check the unit and zone of both.",
        )


def same_instant(facts: Facts) -> Iterator[Finding]:
    """Events of one user, item, type and instant, each of which counts."""
    rows, of = facts.doubt(doubts.SAME_INSTANT), facts.row_counts.accepted
    if rows > NEARLY_NONE * of and facts.data.duplicates == "quarantine":
        yield Finding(
            code="same_instant",
            table="events",
            column=EVENT_TIMESTAMP,
            count=rows,
            of=of,
            examples=facts.examples(doubts.SAME_INSTANT),
            what=f"At least {rows:,} events have user, item, type and instant in common with another and differ from "
            f"it elsewhere; each of them counts (the examples are items).",
            advice="If they are one act, such as rows that a join has multiplied, map event_id to the column that "
            "names the act: one row of each stays. If each is meant, `duplicates: keep` says so.",
        )


def category_of_each(facts: Facts) -> Iterator[Finding]:
    """A category that hardly two items share."""
    column, items = facts.data.category, facts.catalogues["items"].rows
    if column is None or not pa.types.is_string(items.schema.field(column).type):
        return
    distinct, rows = len(items[column].drop_null().unique()), items.num_rows - items[column].null_count
    if rows >= _LEAST_ITEMS and distinct >= _OWN_CATEGORY * rows:
        yield Finding(
            code="category_of_each",
            table="items",
            column=column,
            count=distinct,
            of=rows,
            examples=tuple(sorted(items[column].drop_null().unique().to_pylist())[:3]),
            what=f"{rows:,} rows of items have {distinct:,} different categories: hardly two items share one.",
            advice="data.category is for diversity and affinity; a title or an id is not one.",
        )


def unseen_event_types(facts: Facts) -> Iterator[Finding]:
    """Types that the settings declare and no event has; known when the events are written."""
    declared, seen = facts.data.event_types, facts.row_counts.event_types
    if unseen := [name for name in declared if not seen.get(name)]:
        positive = [name for name in facts.data.positive_types if seen.get(name)]
        yield Finding(
            code="unseen_event_types",
            level="warning" if positive else "error",
            table="events",
            column=EVENT_TYPE,
            count=len(unseen),
            of=len(declared),
            examples=tuple(unseen[:3]),
            what=f"{len(unseen):,} of {len(declared):,} declared event types have no event"
            + ("." if positive else ", and none that is there has sign 1: nothing could be recommended."),
            advice="Check how they are spelt, and the conditions that name them.",
        )


def columns_without_a_value(facts: Facts) -> Iterator[Finding]:
    """Columns of users and items that are null in every row, and items of which none is available."""
    for name, catalogue in facts.catalogues.items():
        rows = catalogue.rows
        for column in rows.column_names if rows.num_rows else ():
            mapped = any(
                column in source.columns or column in source.extra_columns for source, _ in facts.tables[name].sources
            )
            if mapped and rows[column].null_count == rows.num_rows:
                yield Finding(
                    code="empty_column",
                    table=name,
                    column=column,
                    count=rows.num_rows,
                    of=rows.num_rows,
                    what=f"No row of {name} has a value in {column}.",
                    advice="Check the mapping, and `null_values` and `types` of the source.",
                )
    available = facts.data.available
    items = facts.catalogues["items"].rows
    if available and items.num_rows and not pl.Series(pl.from_arrow(_chunk(items, available))).fill_null(True).any():
        yield Finding(
            code="nothing_available",
            level="error",
            table="items",
            column=available,
            count=items.num_rows,
            of=items.num_rows,
            what=f"{available} is false for every item: nothing could be recommended.",
            advice="Check what the column means: data.available is true for items that may be shown.",
        )


def _chunk(table: pa.Table, column: str) -> pa.Array:
    return table[column].combine_chunks()


CHECKS: tuple[Check, ...] = (
    times_out_of_range,
    one_day,
    items_after_events,
    unknown_ids,
    doubtful_ids,
    event_types,
    known_before_event,
    same_instant,
    list_separator,
    category_of_each,
    columns_without_a_value,
    backslash_quotes,
    swallowed_lines,
    thousands_points,
    skipped_files,
)

WHEN_WRITTEN: tuple[Check, ...] = (unseen_event_types,)
"""Checks of what only the second pass counts; nothing is committed yet when they are made."""
