"""What was served and what users did since an instant, as soon as it is in the log: ahead of the ingest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.home import Home
from remora.core.parquet import read_parquet
from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.events.compaction import CompactionState, noted_files, read_compacted
from remora.events.from_settings import EVENTS, SLATES, reader_of
from remora.events.log import LogTail
from remora.events.tables import COLUMNS, SLATE, event_tables, slate_tables
from remora.events.tables import SLATES as COLLECTED_SLATES
from remora.feedback.attribution import EXPOSED_AT, REQUEST_ID
from remora.ingest.sent_events import FOLDER
from remora.settings import Settings

BUNDLE = "bundle"
SLATE_COLUMNS = [USER_ID, REQUEST_ID, "served_at", BUNDLE, "items"]
EVENT_COLUMNS = [EVENT_ID, USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP, REQUEST_ID]


class OutcomeFeed:
    """Exposures and events since an instant: of files that were collected, and of the log from there on.

    It belongs to one thread. Slates of anonymous visitors are left out: what they did is known under no name.
    """

    def __init__(self, settings: Settings, since: datetime) -> None:
        self._since = since
        # Before the files: what is collected meanwhile is read from the log, and then a second time from no file.
        home = Home(settings.home)
        compacted = read_compacted(home)
        slates = _files(home, COLLECTED_SLATES, compacted, SLATE_COLUMNS, ("served_at", since))
        events = _files(home, FOLDER, compacted, EVENT_COLUMNS, (EVENT_TIMESTAMP, since))
        self._exposures, self._events = [*map(_exposures, slates)], [*map(_of_events, events)]
        readers = {topic: reader_of(settings, topic) for topic in (SLATES, EVENTS)}
        self._tails: Mapping[str, LogTail] = {
            topic: reader.tail(compacted.read) for topic, reader in readers.items() if reader is not None
        }

    def read(self) -> bool:
        """Take what has come; did something?"""
        came = False
        for topic, tail in self._tails.items():
            while contents := tail.poll(0.0):
                came = True
                if topic == SLATES:
                    self._exposures.append(_exposures(slate_tables(contents, as_events=False)[COLLECTED_SLATES]))
                else:
                    self._events.append(_of_events(event_tables(contents)[FOLDER]))
        return came

    def close(self) -> None:
        """Let the logs go."""
        for tail in self._tails.values():
            tail.close()

    @property
    def exposures(self) -> pl.DataFrame:
        """``user_id``, ``item_id``, ``request_id``, ``bundle`` and ``exposed_at``, an item of a slate a row."""
        found = pl.concat([_exposures(SLATE.empty_table()), *self._exposures])
        self._exposures = [found.filter(pl.col(EXPOSED_AT) >= self._since)]
        return self._exposures[0]

    @property
    def events(self) -> pl.DataFrame:
        """What users did, each id once."""
        found = pl.concat([_of_events(COLUMNS.empty_table()), *self._events])
        once = found.unique(EVENT_ID, keep="first", maintain_order=True)
        self._events = [once.filter(pl.col(EVENT_TIMESTAMP) >= self._since)]
        return self._events[0]


def _files(
    home: Home, folder: str, done: CompactionState, columns: list[str], since: tuple[str, datetime]
) -> Iterator[pa.Table]:
    """The collected files that may hold something since the instant, by what they say of that column."""
    for name in noted_files(home, folder, done):
        path = home.at(f"{folder}/{name}")
        if _reaches(pq.read_metadata(path, filesystem=home.filesystem), *since):
            yield read_parquet(path, columns, home.filesystem)


def _reaches(metadata: pq.FileMetaData, column: str, since: datetime) -> bool:
    place = metadata.schema.names.index(column)
    groups = [metadata.row_group(number).column(place).statistics for number in range(metadata.num_row_groups)]
    return any(found is None or not found.has_min_max or found.max >= since for found in groups)


def _exposures(slates: pa.Table) -> pl.DataFrame:
    rows = pl.DataFrame(slates.select(SLATE_COLUMNS)).filter(pl.col(USER_ID).is_not_null())
    items = rows.explode("items", empty_as_null=False)
    return items.select(
        USER_ID,
        pl.col("items").struct.field(ITEM_ID),
        REQUEST_ID,
        BUNDLE,
        pl.col("served_at").alias(EXPOSED_AT),
    )


def _of_events(events: pa.Table) -> pl.DataFrame:
    return pl.DataFrame(events.select(EVENT_COLUMNS))
