"""What became of what was shown: each item of a served slate closes once, with the events that were learned by then.

Under ``outcomes/`` of the home are files by number: ``exposures`` that closed, ``events`` that belong to them, and
``corrections``, events that were learned when their exposure had closed. ``closed.json`` says how far it is; it is
replaced once the files of a span are there, and files without it are written again under the same number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from remora.core.home import Home
from remora.core.json_document import read_document
from remora.core.parquet import parquet_bytes, read_parquet
from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID, VALUE
from remora.events.collected_slates import collected_slates
from remora.events.tables import SERVED
from remora.feedback.attribution import EXPOSED_AT, ORPHAN, REQUEST_ID, close, rule_of
from remora.ingest.lake import Lake
from remora.settings import Settings
from remora.settings.one_writer import writes

COMMAND = "remora events outcomes"
FOLDER, DOCUMENT = "outcomes", "outcomes/closed.json"
EXPOSURES, EVENTS, CORRECTIONS = "exposures", "events", "corrections"
HINT = f"Remove the folder {FOLDER} of the home, and run `{COMMAND}` again: it is made of slates and lake."

MARGIN = timedelta(minutes=1)
"""So much before the last event of the lake: of replicas that write at once one may be a moment later."""

OF_EXPOSURES = ("position", "surface", "bundle", "variant")
OF_EVENTS = (EVENT_ID, USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP, KNOWN_TIMESTAMP, REQUEST_ID, VALUE)


class ClosedUntil(BaseModel):
    """How far exposures were closed, and the number of the next files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: datetime | None = None
    next_file: int = Field(0, ge=0)


@dataclass(frozen=True, kw_only=True)
class Closing:
    """What one run did: rows by table, and how many events since the last run belong to no exposure, by why."""

    until: datetime | None
    rows: Mapping[str, int] = field(default_factory=dict)
    orphans: Mapping[str, int] = field(default_factory=dict)


@writes(COMMAND)
def close_outcomes(settings: Settings) -> Closing:
    """Close what can be closed: exposures whose horizon has passed, and ``events.outcome_lateness_hours``.

    Slates that were collected are read, and the events of the lake. NotBuilt without a lake.
    """
    home = Home(settings.home)
    lake, done = Lake.open(home), _read(home)
    shown, events = _exposures(home), _events(settings, lake)
    if shown.is_empty() or events.is_empty():
        return Closing(until=done.until)
    last = events[KNOWN_TIMESTAMP].max()
    assert isinstance(last, datetime)
    until = min(datetime.now(UTC), last) - MARGIN
    if done.until is not None and until <= done.until:
        return Closing(until=done.until)
    rule, lateness = rule_of(settings), timedelta(hours=settings.events.outcome_lateness_hours)
    span = close(shown, events, rule, lateness=lateness, after=done.until, until=until)
    tables = {EXPOSURES: span.exposures, EVENTS: span.events, CORRECTIONS: span.corrections}
    for name, table in tables.items():
        if len(table):
            home.write_bytes(f"{FOLDER}/{name}/{done.next_file:08d}.parquet", parquet_bytes(_plain(table)))
    after = ClosedUntil(until=until, next_file=done.next_file + 1)
    home.write_bytes(DOCUMENT, after.model_dump_json(indent=1).encode())
    # What happened before anything was logged belongs to no slate that could be known.
    orphans = span.orphans.filter(pl.col(EVENT_TIMESTAMP) >= shown[EXPOSED_AT].min())
    causes = dict(Counter(orphans[ORPHAN].to_list()).most_common())
    return Closing(until=until, rows={name: len(table) for name, table in tables.items()}, orphans=causes)


def outcome_rates(home: Home) -> pl.DataFrame:
    """Of all that has closed, by ``surface``, ``variant``, ``bundle`` and ``event_type``: ``exposures`` (items shown),
    ``events`` that belong to them, ``corrections`` beside, and ``rate``, events by exposures. A row without an event
    type is one of exposures that nothing followed."""
    shown, events, corrections = (_all(home, name) for name in (EXPOSURES, EVENTS, CORRECTIONS))
    by = ["surface", "variant", "bundle"]
    if shown.is_empty():
        return pl.DataFrame(schema={**dict.fromkeys([*by, EVENT_TYPE], pl.String()), "rate": pl.Float64()})
    counts = shown.group_by(by).agg(pl.len().alias("exposures"))
    for name, table in ((EVENTS, events), (CORRECTIONS, corrections)):
        keys = by if name == EVENTS else [*by, EVENT_TYPE]
        empty = pl.DataFrame(schema={**dict.fromkeys([*by, EVENT_TYPE], pl.String()), name: pl.UInt32()})
        found = empty if table.is_empty() else table.group_by(*by, EVENT_TYPE).agg(pl.len().alias(name))
        counts = counts.join(found, on=keys, how="left", nulls_equal=True)
    filled = counts.with_columns(pl.col(EVENTS, CORRECTIONS).fill_null(0))
    return filled.with_columns(rate=pl.col(EVENTS) / pl.col("exposures")).sort(
        *by, EVENTS, descending=[False] * 3 + [True]
    )


def _read(home: Home) -> ClosedUntil:
    try:
        return read_document(home, DOCUMENT, ClosedUntil, HINT)
    except FileNotFoundError:
        return ClosedUntil()


def _exposures(home: Home) -> pl.DataFrame:
    """Each item of each slate of a user, once."""
    names = [USER_ID, REQUEST_ID, "served_at", "surface", "bundle", "variant", "items"]
    tables = [pl.DataFrame(pl.from_arrow(table)) for table in collected_slates(home, names)]
    if not tables:
        return pl.DataFrame()
    items = pl.col("items").struct
    return (
        pl.concat(tables)
        .filter(pl.col(USER_ID).is_not_null())
        .explode("items", empty_as_null=False)
        .with_columns(items.field(ITEM_ID), items.field("position"))
        .rename({"served_at": EXPOSED_AT})
        .select(USER_ID, ITEM_ID, REQUEST_ID, EXPOSED_AT, *OF_EXPOSURES)
        .unique([USER_ID, ITEM_ID, REQUEST_ID, EXPOSED_AT], keep="first", maintain_order=True)
    )


def _events(settings: Settings, lake: Lake) -> pl.DataFrame:
    """What users did, with when it was learned; in historical data that is when it happened."""
    left_out = [SERVED, settings.data.impression]
    columns = [name for name in OF_EVENTS if name in lake.event_schema.names]
    read = lake.tables(since=datetime.fromtimestamp(0, UTC), columns=columns)
    events = pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in read]).filter(
        ~pl.col(EVENT_TYPE).is_in([one for one in left_out if one is not None])
    )
    known = pl.col(EVENT_TIMESTAMP)
    if KNOWN_TIMESTAMP in columns and settings.data.clock != "data":
        known = pl.coalesce(KNOWN_TIMESTAMP, EVENT_TIMESTAMP)
    return events.with_columns(known.alias(KNOWN_TIMESTAMP))


def _plain(table: pl.DataFrame) -> pa.Table:
    return table.to_arrow(compat_level=pl.CompatLevel.oldest())


def _all(home: Home, name: str) -> pl.DataFrame:
    """Of the files that the document counts."""
    numbers = range(_read(home).next_file)
    there = set(home.files(f"{FOLDER}/{name}"))
    names = [file for number in numbers if (file := f"{number:08d}.parquet") in there]
    tables = [read_parquet(home.at(f"{FOLDER}/{name}/{file}"), None, home.filesystem) for file in names]
    return pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in tables]) if tables else pl.DataFrame()
