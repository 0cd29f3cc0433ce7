"""The proposed settings file: every line with the evidence that it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remora.project.proposal.analysis import KEYS, MANY_EQUAL, Analysis, TablePlan
from remora.project.proposal.event_types import STRONG
from remora.project.proposal.profiles import ProfilePlan
from remora.project.proposal.windows import REPEATED
from remora.project.proposal.words import AFTERWARDS, tokens
from remora.project.proposal.yaml_text import YamlText
from remora.settings import EventTypeSettings
from remora.settings.ranking import by_weight

ROLES = (
    "event_id", "user_id", "item_id", "event_type", "event_timestamp", "known_timestamp", "value", "session_id",
    "request_id", "position", "propensity",
)  # fmt: skip
"""Columns of events, in the order in which they are written."""

FEW_EVENTS, MANY_EVENTS = 50_000, 2_000_000
QUARANTINE_LIMIT = 0.05


def settings_text(found: Analysis, *, name: str, home: str, doubts: list[tuple[str, str]]) -> str:
    """The whole file. What is not sure stands at its top, so that it is read first."""
    out = YamlText()
    out.comment("Proposed by `remora init`, for you to edit. Every field is in the reference of settings.")
    if doubts:
        out.comment("Not sure, please look at:")
        for number, (what, change) in enumerate(doubts, 1):
            out.comment(f"{number}. {sentence(what)} {change}")
    out.entry("name", name)
    out.entry("home", home, "all that Remora makes; a job of Ray, which runs elsewhere, finds it by the whole path")
    out.section("data")
    if found.old:
        out.entry("clock", "data", "the last event is long ago: a request happens at the end of the data", 1)
    out.section("events", 1)
    _events(out, found)
    for table in ("items", "users"):
        if table in found.tables:
            out.section(table, 1)
            _table(out, found.tables[table], table)
        elif table in found.from_events:
            out.section(table, 1)
            _table_from_events(out, found, table)
    _event_types(out, found)
    _data_options(out, found)
    _roles_of_columns(out, found)
    _others(out, found)
    return out.text()


def sentence(what: str) -> str:
    """With its full stop.

    >>> sentence("Is it?"), sentence("It is")
    ('Is it?', 'It is.')
    """
    return what if what.endswith("?") else f"{what}."


def _plan(found: Analysis, table: str) -> ProfilePlan:
    return found.tables[table].profile if table in found.tables else found.from_events.get(table, ProfilePlan())


def _source(out: YamlText, plan: TablePlan, *, rows: bool = True) -> None:
    sample = plan.sample
    about = f"{sample.total:,} rows" if sample.exact else f"about {sample.total:,} rows"
    out.entry("path", sample.path, about if rows else "", 3, item=True)
    out.entry("format", sample.format, level=3)
    for option, value in sample.dialect.options.items():
        out.entry(option, value, sample.dialect.why.get(option, ""), 3)
    if plan.source.decimal != ".":
        out.entry("decimal", plan.source.decimal, "numbers are written as in 1.234,56", 3)
    if plan.source.null_values != ("",):
        out.entry("null_values", list(plan.source.null_values), "texts that stand in place of a value", 3)


def _events(out: YamlText, found: Analysis) -> None:
    roles, plan = found.roles, found.events
    _source(out, plan)
    out.section("columns", 3)
    for role, column in sorted(roles.columns.items(), key=lambda found: ROLES.index(found[0])):
        out.entry(role, column, roles.why.get(role, ""), 4)
    types: dict[str, Any] = {}
    if not plan.sample.typed:
        types = {name: plan.facts[name].kind for name in found.kinds.reads if name not in roles.columns.values()}
    types |= {
        role: "integer" for role in KEYS.values() if plan.facts[roles.columns[role]].whole_floats
    }  # 17850.0 is 17850
    if types:
        out.entry("types", types, level=3)
    if roles.time.options:
        out.entry("time", roles.time.options, roles.time.why, 3)
    if isinstance(found.kinds.setting, str):
        out.entry("event_type", found.kinds.setting, found.kinds.why, 3)
    elif found.kinds.setting is not None:
        out.comment(f"{found.kinds.why}. The first condition that holds names the event.", 3)
        out.section("event_type", 3)
        for rule in found.kinds.setting:
            out.listed(rule, level=4)
    if found.filters:
        out.section("filters", 3)
        for condition, why in found.filters:
            out.listed(condition, why, 4)
    used = {*roles.columns.values(), *found.kinds.reads}
    used |= {source for plan in found.from_events.values() for source in plan.columns.values()}
    if unused := [name for name in plan.facts if name not in used]:
        out.comment(f"Not used: {', '.join(unused)}. An event's columns are no features.", 3)
    if late := [name for name in unused if AFTERWARDS & set(tokens(name))]:
        out.comment(f"By its name known only after the event, so never a feature: {', '.join(late)}.", 3)


def _table(out: YamlText, plan: TablePlan, table: str) -> None:
    assert plan.key is not None
    key = plan.facts[plan.key.key]
    _source(out, plan)
    if key.distinct < key.rows * (1 - key.null_share):
        out.entry("distinct", True, f"{key.distinct:,} ids in {key.rows:,} rows: the last of each holds", 3)
    out.section("columns", 3)
    out.entry(KEYS[table], plan.key.key, plan.key.why, 4)
    _mapped(out, plan.profile, {KEYS[table]: "integer"} if key.whole_floats else {})


def _table_from_events(out: YamlText, found: Analysis, table: str) -> None:
    events, profile = found.events, found.from_events[table]
    out.comment(f"No table of {table}: these columns of the events are the same in every row of one.", 2)
    _source(out, events, rows=False)
    out.entry("distinct", True, "one row an id, with the latest values, from its first event on", 3)
    if found.roles.time.options:
        out.entry("time", found.roles.time.options, level=3)
    out.section("columns", 3)
    column = found.roles.columns[KEYS[table]]
    out.entry(KEYS[table], column, level=4)
    out.entry("event_timestamp", found.roles.columns["event_timestamp"], level=4)
    _mapped(out, profile, {KEYS[table]: "integer"} if events.facts[column].whole_floats else {})


def _mapped(out: YamlText, plan: ProfilePlan, types: Mapping[str, str]) -> None:
    for name, source in plan.columns.items():
        out.entry(name, source, plan.why.get(name, ""), 4)
    for name, why in plan.leaks:
        out.comment(f"LEFT OUT, knows the future: {name}: {why}", 4)
    for name, why in plan.left_out:
        out.comment(f"left out: {name}: {why}", 4)
    if types := {**types, **plan.types}:
        out.entry("types", types, level=3)
    if plan.list_separator not in (None, " "):
        out.entry("list_separator", plan.list_separator, level=3)


def _event_types(out: YamlText, found: Analysis) -> None:
    out.comment(
        "What each type says about taste: how much an event counts, and whether for (1) or against (-1) an item.", 1
    )
    out.section("event_types", 1)
    for name, one in found.kinds.types.items():
        out.entry(name, {"weight": one.weight, "sign": one.sign}, one.why, 2)


def _data_options(out: YamlText, found: Analysis) -> None:
    only_shown = [name for name, one in found.kinds.types.items() if one.sign == 0 and "shown" in one.why]
    if len(only_shown) == 1 and {"request_id", "position"} <= found.roles.columns.keys():
        out.entry("impression", only_shown[0], "what was shown, with its request and position", 1)
    if found.keep_unknown is not None:
        out.entry("unknown_items", "keep", found.keep_unknown, 1)
    if found.duplicates > MANY_EQUAL and found.roles.time.date_only:
        out.entry(
            "duplicates", "keep", f"{found.duplicates:.1%} of the rows are equal; with days alone each may count", 1
        )
    elif found.duplicates > MANY_EQUAL:
        limit = round(min(1.0, found.duplicates * 1.25 + QUARANTINE_LIMIT), 2)
        out.entry(
            "quarantine_limit", limit, f"{found.duplicates:.1%} of the rows are equal to another; one of each stays", 1
        )


def _roles_of_columns(out: YamlText, found: Analysis) -> None:
    items, users = _plan(found, "items"), _plan(found, "users")
    for role, column in (("title", items.title), ("category", items.category), ("available", items.available)):
        if column is not None:
            out.entry(role, column, level=1)
    for role, columns in (
        ("user_columns", users.features),
        ("item_columns", items.features),
        ("text_columns", items.texts),
    ):
        if columns:
            out.entry(role, columns, level=1)


def _others(out: YamlText, found: Analysis) -> None:
    split = found.split
    out.comment("Time is cut in four by shares of the events; the last part, the test, is what is left.")
    for window in split.windows:
        what = f"{window.positive:,} positive events of {window.users:,} users, {window.fresh:,} of them with new items"
        out.comment(f"- {window.name}: {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M}, about {what}")
    out.entry("split", dict(zip(("retrieval", "ranking", "validation"), split.shares, strict=True)))
    users = _plan(found, "users")
    if users.segment is not None:
        models = {"segment_popularity": {"column": users.segment}}
        out.entry("retrieval", {"models": models}, "users without a history get what this group wants")
    rows = found.events.sample.total
    if rows < MANY_EVENTS:
        out.entry("features", {"partitions": 2 if rows < FEW_EVENTS else 4}, "few events: a partition is a task")
    if split.repeats >= REPEATED:
        why = f"{split.repeats:.0%} of what users want they wanted before"
        out.entry("surfaces", {"home_feed": {"hide_seen": False}}, why)
    _objectives(out, found)


def _objectives(out: YamlText, found: Analysis) -> None:
    """What the ranker predicts, written down as the settings would derive it."""
    types = {n: EventTypeSettings(weight=t.weight, sign=t.sign) for n, t in found.kinds.types.items()}  # type: ignore[arg-type]
    out.section("ranking")
    out.comment("What the ranker predicts. A slate is ordered by the sum of weight x prediction.", 1)
    out.section("objectives", 1)
    for name, objective in by_weight(types).items():
        value = {"events": list(objective.events), "weight": round(objective.weight, 6)}
        out.entry(name, value, level=2)
    strong = [name for name, one in types.items() if one.sign > 0 and one.weight == STRONG]
    if "value" in found.roles.columns and found.roles.columns["value"] not in found.kinds.reads and strong:
        out.comment("To trade for revenue: the sum of the events' values, with a weight of your choice.", 2)
        out.comment(f"worth: {{events: [{strong[0]}], label: value, weight: 0.0}}", 2)
