"""Everything that the samples tell: roles, kinds of events, profiles of items and users, windows of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from remora.core.errors import MissingInput
from remora.core.tables import TIMESTAMP
from remora.ingest.casting import read_as
from remora.project.proposal.columns import ColumnFacts, column_facts
from remora.project.proposal.dependents import dependents
from remora.project.proposal.event_types import EventKinds, event_kinds, rating_column
from remora.project.proposal.keys import KeyMatch, match_keys
from remora.project.proposal.leaks import EventsOfIds
from remora.project.proposal.profiles import ProfilePlan, plan_profile
from remora.project.proposal.roles import Roles, event_roles
from remora.project.proposal.sample import TableSample, take_sample
from remora.project.proposal.windows import REPEATED, SplitPlan, plan_split
from remora.project.proposal.words import ITEM, USER
from remora.settings import SourceSettings

KEYS = {"items": "item_id", "users": "user_id"}
OPTIONS = {"user_id": "--user", "item_id": "--item", "event_timestamp": "--time", "event_type": "--type"}

GUESTS = ("0", "-1", "anonymous", "guest", "unknown", "none", "null", "default", "n/a")
MUCH_OF_ALL = 0.2
SOME_MISSING = 0.01
MANY_EQUAL = 0.03
SPELLING = 0.5
OLD_DAYS = 30


@dataclass
class TablePlan:
    """One table: its sample, how its columns are mapped, and the options of its source."""

    sample: TableSample
    facts: dict[str, ColumnFacts]
    source: SourceSettings
    key: KeyMatch | None = None
    profile: ProfilePlan = field(default_factory=ProfilePlan)


@dataclass
class Analysis:
    """What was found in all tables, and ``doubts``: what is not sure, and what to change if it is wrong."""

    events: TablePlan
    roles: Roles
    kinds: EventKinds
    rows: pl.DataFrame
    split: SplitPlan
    tables: dict[str, TablePlan] = field(default_factory=dict)
    from_events: dict[str, ProfilePlan] = field(default_factory=dict)
    filters: list[tuple[str, str]] = field(default_factory=list)
    keep_unknown: str | None = None
    duplicates: float = 0.0
    old: bool = False
    doubts: list[tuple[str, str]] = field(default_factory=list)


def analyse(paths: Mapping[str, str], given: Mapping[str, str], folder: Path, now: datetime) -> Analysis:
    """Look at the tables ``paths`` names (events, items, users); ``given`` are columns of events that the user names.

    Raises what :func:`take_sample` and :func:`event_roles` raise, and MissingInput for a column that is not there.
    """
    tables = {name: _table(name, path, folder) for name, path in paths.items()}
    events = tables.pop("events")
    for role, column in given.items():
        if column not in events.facts:
            raise MissingInput("column", column, events.facts, f"{OPTIONS[role]} names it; these are in the events.")
    doubts = [*events.sample.dialect.doubts, *(d for table in tables.values() for d in table.sample.dialect.doubts)]
    matched = _matched(events, tables, given)
    roles = event_roles(
        events.facts,
        {role: column for role, column in given.items() if role != "event_type"},
        {KEYS[name]: match.column for name, match in matched.items() if match.overlap >= SPELLING / 2},
        events.sample.path,
        now,
    )
    free = {name: one for name, one in events.facts.items() if name not in roles.columns.values()}
    if "value" in roles.columns:
        free[roles.columns["value"]] = events.facts[roles.columns["value"]]
    kinds = event_kinds(
        free | _chosen(events, given), given.get("event_type"), events.sample.path, rows=events.sample.raw.num_rows
    )
    if kinds.column is not None:
        roles.give("event_type", kinds.column, kinds.why)
    rows = _rows(events, roles, kinds)
    split = plan_split(_complete(rows), events.sample.total / events.sample.raw.num_rows)
    found = Analysis(events, roles, kinds, rows, split)
    found.doubts += [*doubts, *roles.doubts, *kinds.doubts]
    if (doubt := roles.time.doubt) is not None:
        found.doubts.append(doubt)
    _zones(found)
    _missing(found)
    _guests(found)
    _equal_rows(found)
    if split.repeats >= REPEATED:
        found.doubts.append(
            (
                f"{split.repeats:.0%} of what users want on a day they wanted before: the home feed shows known items",
                "Set `hide_seen: true` if it is for new ones.",
            )
        )
    last = found.rows["at"].max()
    found.old = isinstance(last, datetime) and last < now - timedelta(days=OLD_DAYS)
    for name, table in tables.items():
        _plan_table(found, name, table, matched.get(name), now)
    for name in KEYS:
        if name not in tables:
            _plan_from_events(found, name, now)
    return found


def _table(name: str, path: str, folder: Path) -> TablePlan:
    sample = take_sample(name, path, f"--{name}", folder)
    facts, source = column_facts(sample)
    return TablePlan(sample, facts, source)


def _chosen(events: TablePlan, given: Mapping[str, str]) -> dict[str, ColumnFacts]:
    return {given["event_type"]: events.facts[given["event_type"]]} if "event_type" in given else {}


def _matched(events: TablePlan, tables: Mapping[str, TablePlan], given: Mapping[str, str]) -> dict[str, KeyMatch]:
    words = {"items": (ITEM, USER), "users": (USER, ITEM)}
    facts = {name: one for name, one in events.facts.items() if name not in given.values()}
    found = match_keys(facts, {name: (t.facts, *words[name]) for name, t in tables.items() if KEYS[name] not in given})
    for name, table in tables.items():
        if (column := given.get(KEYS[name])) is not None:
            found |= match_keys({column: events.facts[column]}, {name: (table.facts, *words[name])})
    return found


def _rows(events: TablePlan, roles: Roles, kinds: EventKinds) -> pl.DataFrame:
    """The sample's rows as user, item, at, type and positive; null where a value is missing."""
    time = events.facts[roles.columns["event_timestamp"]]
    source = time.source.model_copy(update={"time": time.source.time.model_validate(roles.time.options)})
    at = time.raw.to_frame(time.name).select(read_as(TIMESTAMP, time.name, time.raw.dtype, source)).to_series()
    positive = [name for name, one in kinds.types.items() if one.sign > 0 and one.weight > 0]
    return pl.DataFrame(
        {
            "user": events.facts[roles.columns["user_id"]].ids,
            "item": events.facts[roles.columns["item_id"]].ids,
            "at": at,
            "type": kinds.labels,
        }
    ).with_columns(positive=pl.col("type").is_in(positive).fill_null(False))


def _complete(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop_nulls(("user", "item", "at"))


def _zones(found: Analysis) -> None:
    if not found.roles.time.zoned and not found.roles.time.date_only:
        name = found.roles.columns["event_timestamp"]
        found.doubts.append(
            (
                f"The times of '{name}' name no zone, and are read as UTC",
                "Set `timezone` of `time`, e.g. Europe/London.",
            )
        )


def _missing(found: Analysis) -> None:
    """Rows without a user, an item or a type are filtered where they are more than a few."""
    for role, what in (("user_id", "guests"), ("item_id", "no item"), ("event_type", "no type")):
        if role not in found.roles.columns:
            continue
        column = found.events.facts[found.roles.columns[role]]
        if column.null_share > SOME_MISSING:
            quoted = '"' + column.name.replace('"', '""') + '"'
            found.filters.append((f"{quoted} IS NOT NULL", f"{column.null_share:.1%} of the rows: {what}"))


def _guests(found: Analysis) -> None:
    """One id with much of all events is no user."""
    counted = found.rows["user"].drop_nulls().value_counts(sort=True)
    if counted.height < 2:
        return
    user, count = counted.row(0)
    share = count / found.rows.height
    if share < MUCH_OF_ALL or counted.height < 20:
        return
    name = found.roles.columns["user_id"]
    if user.strip().lower() in GUESTS:
        quoted, text = '"' + name.replace('"', '""') + '"', user.replace("'", "''")
        kind = found.events.facts[name].kind
        value = user if kind in ("integer", "number") and found.events.sample.typed else f"'{text}'"
        found.filters.append((f"{quoted} <> {value}", f"{share:.1%} of the rows: an id that stands for guests"))
    found.doubts.append((f"The user '{user}' has {share:.0%} of all events", "If it is no person, filter it."))


def _equal_rows(found: Analysis) -> None:
    rows = found.events.sample.rows
    plain = [name for name, dtype in rows.schema.items() if not dtype.is_nested() and dtype != pl.Binary]
    found.duplicates = 0.0 if "event_id" in found.roles.columns else 1 - rows.select(plain).n_unique() / rows.height


def _plan_table(found: Analysis, name: str, table: TablePlan, match: KeyMatch | None, now: datetime) -> None:
    role = KEYS[name]
    column = found.roles.columns[role]
    if match is None or match.column != column or match.overlap < SPELLING / 2:
        if match is not None and match.respelt >= SPELLING > match.overlap:
            what = f"'{match.column}' and '{match.key}' differ in case, quotes or zeros before numbers"
        else:
            what = f"no column has the ids of '{column}', e.g. {found.events.facts[column].examples()}"
        found.doubts.append(
            (f"The {name} table is left out: {what}", "Write the ids alike in both tables, and run init again.")
        )
        _plan_from_events(found, name, now)
        return
    table.key, key = match, table.facts[match.key]
    ids = found.events.facts[column].ids.drop_nulls()
    unknown = 1 - float(ids.is_in(key.ids.drop_nulls().unique().implode()).mean() or 0.0)  # type: ignore[arg-type]
    if name == "items" and unknown > SOME_MISSING and table.sample.exact:
        found.keep_unknown = f"{unknown:.1%} of the events name an item that the table does not have"
        found.doubts.append(
            (f"{unknown:.1%} of the events name items that are not in the items table", "Complete it; they are kept.")
        )
    table.profile = _profile(found, name, table.facts, key, now, typed=table.sample.typed)
    found.tables[name] = table
    found.doubts += table.profile.doubts


def _plan_from_events(found: Analysis, name: str, now: datetime) -> None:
    """What events say of their items or users, where there is no table of them."""
    key = found.events.facts[found.roles.columns[KEYS[name]]]
    other = found.events.facts[found.roles.columns[KEYS["users" if name == "items" else "items"]]]
    unused = {*found.roles.columns.values(), *found.kinds.reads} - {key.name}
    taken = {*unused, other.name, key.name, *found.roles.times}
    facts = dependents(found.events.facts, key, taken)
    if name == "users" and facts and "items" in found.from_events:
        facts = {n: one for n, one in facts.items() if n not in found.from_events["items"].columns.values()}
    if len(facts) > 1:
        profile = _profile(found, name, facts, facts[key.name], now, typed=found.events.sample.typed)
        if profile.columns:
            found.from_events[name] = profile
            found.doubts += profile.doubts


def _profile(
    found: Analysis, name: str, facts: Mapping[str, ColumnFacts], key: ColumnFacts, now: datetime, *, typed: bool
) -> ProfilePlan:
    rating = rating_column(found.events.facts)
    ids = found.rows["item" if name == "items" else "user"]
    events = EventsOfIds.of(ids, None if rating is None else rating.numbers)
    plan = plan_profile(name, facts, key, events, now=now, typed=typed)
    if name == "items" and plan.title is None and key.kind == "text" and key.words >= 1.3:
        plan.title = plan.give(ColumnFacts("title", key.raw, key.source), "the ids are names", ("item_id",))
        plan.columns[plan.title] = key.name
        plan.texts.insert(0, plan.title)
    return plan


def utc_now() -> datetime:
    """Now."""
    return datetime.now(UTC)
