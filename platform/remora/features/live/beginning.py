"""What the live state begins with: the events of the lake that serves, those collected since, and the log behind them.

Nothing of its own is kept on a disk: lake and collected files are its snapshot, and the document that says how far the
log was collected has the offsets that belong to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.parquet import read_parquet
from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID
from remora.events.compaction import noted_files, read_compacted
from remora.events.entity_states import EntityStates
from remora.events.from_settings import EVENTS, SLATES, reader_of
from remora.events.intake import REASON
from remora.events.log import LogReader, LogTail
from remora.events.tables import COLUMNS, SERVED, slate_tables
from remora.extensions import ComponentChoice
from remora.features.applied import MATERIALIZE, views_to_write
from remora.features.build import event_columns, transform_context, views_of_events
from remora.features.live.row_store import writer_of
from remora.features.live.sent_items import SentItems
from remora.features.live.sent_users import SentUsers
from remora.features.profiles import CATEGORY_NUMBERS, EPOCH
from remora.features.tables import FeatureTables
from remora.features.transforms.transform import TransformContext
from remora.ingest.file_fingerprints import read_fingerprints
from remora.ingest.lake import Lake, lake_artifacts
from remora.ingest.sent_events import FOLDER
from remora.settings import Settings

Event = Mapping[str, Any]

Topic = tuple[LogTail, Callable[[bytes], Iterable[Event]]]
"""A log that is followed, and the events of one of its records."""


@dataclass(frozen=True, eq=False)
class EventFilter:
    """Which events count for the state of one writer: its own users, of items that the catalogue has or that were sent
    since, and of what users did rather than what they were shown. The ingest keeps the others out of the same
    features."""

    items: set[str]
    impression: str | None
    writer: int
    writers: int

    def takes(self, event: Event) -> bool:
        """Does this one count?"""
        return event[ITEM_ID] in self.items and self._may_take(event)

    def awaits_item(self, event: Event) -> bool:
        """Would this one count if its item were known?"""
        return event[ITEM_ID] not in self.items and self._may_take(event)

    def has(self, user: str) -> bool:
        """Is the user one of the writer's?"""
        return self.writers == 1 or writer_of(user, self.writers) == self.writer

    def of(self, events: pl.DataFrame) -> pl.DataFrame:
        """Those of a table, in their order."""
        if self.impression is not None:
            events = events.filter(pl.col(EVENT_TYPE) != self.impression)
        if self.writers > 1:
            events = events.filter(pl.col(USER_ID).is_in([user for user in events[USER_ID].unique() if self.has(user)]))
        return events.filter(pl.col(ITEM_ID).is_in(self.items))

    def _may_take(self, event: Event) -> bool:
        return event[EVENT_TYPE] != self.impression and self.has(event[USER_ID])


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveBeginning:
    """``lake``: events that the feature tables ``tables`` are made of, which end at ``end``; ``collected``: those that
    came later and are in files; ``topics`` continue behind them. ``items`` and ``users``: what was sent of them, None
    where they are not taken."""

    tables: str
    end: datetime
    lake: pl.DataFrame
    collected: pl.DataFrame
    topics: list[Topic]
    counts: EventFilter
    views: Mapping[str, ComponentChoice]
    context: TransformContext
    items: SentItems | None = None
    users: SentUsers | None = None


def serving_tables(settings: Settings) -> FeatureTables:
    """The feature tables whose rows are online. NotReady, NotBuilt until there are some."""
    tables = FeatureTables.open(Home(settings.home))
    if missing := views_to_write(settings, tables):
        raise NotReady(f"The online store does not hold {missing[0]} of the feature tables. Run `{MATERIALIZE}`.")
    return tables


def begin(settings: Settings, writer: int) -> LiveBeginning:
    """Read it; NotReady where the tables that serve are not those of now. Takes about a second a million events."""
    home = Home(settings.home)
    tables = serving_tables(settings)
    # Before anything that it says is there: what is collected meanwhile is read from the log.
    compacted = read_compacted(home)
    artifact = lake_artifacts(home).find(tables.artifact.metadata["lake"])
    if artifact is None:
        raise NotReady("The lake of the feature tables is gone. Run `remora run`.")
    lake = Lake(artifact)
    end = datetime.fromisoformat(tables.artifact.metadata["end"])
    columns = [ITEM_ID, EVENT_TIMESTAMP, CATEGORY_NUMBERS]
    names = tables.categories
    items = tables.read("item_catalogue", columns if names else columns[:2])
    context = transform_context(settings, end, names, items)
    views = views_of_events(settings, "user", context)
    sent_items, sent_users = _sent(settings, lake, end)
    known = set(items[ITEM_ID].to_pylist())
    if sent_items is not None:
        known |= {update.id for update in sent_items.known()}
        context = sent_items.added_to(context, sent_items.known())
    counts = EventFilter(known, settings.data.impression, writer, settings.events.live.writers)
    read = event_columns(lake.event_schema.names, views.values())
    # The types of the lake, also where it has no event for this writer.
    empty = pl.DataFrame(pa.schema([lake.event_schema.field(name) for name in read]).empty_table())
    events = [counts.of(pl.DataFrame(table)) for table in lake.tables(since=EPOCH, columns=read)]
    in_lake = {place.path.rsplit("/", 1)[-1] for place in read_fingerprints(artifact) if FOLDER in place.path}
    # A file that the document does not count yet is written again by whoever collects next.
    files = [name for name in noted_files(home, FOLDER, compacted) if name not in in_lake]
    collected = [
        counts.of(pl.DataFrame(read_parquet(home.at(f"{FOLDER}/{name}"), None, home.filesystem))) for name in files
    ]
    return LiveBeginning(
        tables=tables.artifact.version,
        end=end,
        lake=pl.concat([empty, *events]),
        collected=pl.concat([_no_events(), *collected]),
        topics=[(reader.tail(compacted.read), convert) for reader, convert in _topics(settings)],
        counts=counts,
        views=views,
        context=context,
        items=sent_items,
        users=sent_users,
    )


def _sent(settings: Settings, lake: Lake, end: datetime) -> tuple[SentItems | None, SentUsers | None]:
    if not settings.events.entities or reader_of(settings) is None:
        return None, None
    items = SentItems(EntityStates.open(settings, "items"), lake.item_schema, settings.data)
    return items, SentUsers(EntityStates.open(settings, "users"), lake, end, settings.data)


def _topics(settings: Settings) -> list[tuple[LogReader, Callable[[bytes], Iterable[Event]]]]:
    converted: dict[str, Callable[[bytes], Iterable[Event]]] = {EVENTS: _event}
    if SERVED in settings.data.event_types and settings.data.impression != SERVED:
        converted[SLATES] = _served
    readers = {topic: reader_of(settings, topic) for topic in converted}
    return [(reader, converted[topic]) for topic, reader in readers.items() if reader is not None]


def _event(content: bytes) -> Iterable[Event]:
    """None of a record that was quarantined."""
    event = json.loads(content)
    if event.get(REASON) is None:
        times = {name: datetime.fromisoformat(event[name]) for name in (EVENT_TIMESTAMP, KNOWN_TIMESTAMP)}
        yield event | times


def _served(content: bytes) -> Iterable[Event]:
    return slate_tables([content], as_events=True)[FOLDER].to_pylist()


def _no_events() -> pl.DataFrame:
    return pl.DataFrame(COLUMNS.empty_table())
