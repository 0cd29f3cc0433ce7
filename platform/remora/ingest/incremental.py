"""The version of the lake before: what of it still holds when new files come, and why nothing does when nothing does.

What holds is what a build of all files would make again: the same files in the same order under the same settings are
validated alike. :class:`FullRebuildRequired` says why that cannot be known.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.fs as pafs

from remora.core.artifacts import Artifact
from remora.core.errors import NotBuilt
from remora.core.parquet import read_parquet
from remora.core.tables import DAY, EVENT_ID, ITEM_ID, QUARANTINE
from remora.ingest.catalogue import Catalogue
from remora.ingest.contract import FUTURE
from remora.ingest.file_fingerprints import (
    FileFingerprint,
    FileFingerprints,
    Place,
    place_of,
    read_fingerprints,
    unchanged,
)
from remora.ingest.files import ORDER, FileSchema, SourceFile
from remora.ingest.inspect import Located, TableSources
from remora.ingest.lake import Lake, coalesced, lake_artifacts
from remora.ingest.row_counts import RowCounts, row_counts_of
from remora.ingest.rows import Task
from remora.ingest.schema import KEY_OF, SOURCE_ROW

if TYPE_CHECKING:
    from remora.core.home import Home
    from remora.settings import DataSettings

UNKNOWN_ITEMS = "fingerprints/unknown_items.parquet"

DuplicateScope = Literal["none", "same day", "any day"]


class FullRebuildRequired(Exception):
    """Not an error but an outcome, which never leaves the ingest: all files must be read; ``str()`` says why."""


@dataclass(frozen=True)
class PreviousLake:
    """The current version, and ``known``: the files that it was made of and that need not be read again."""

    lake: Lake
    known: FileFingerprints

    def file_schema(self, table: str, file: SourceFile) -> FileSchema | None:
        """Of a known file; None for a new one."""
        fingerprint = self.known.get(place_of(table, file))
        return fingerprint.file_schema(file) if fingerprint else None

    def is_new(self, file: SourceFile) -> bool:
        """Is this a file of events that was not read yet?"""
        return place_of("events", file) not in self.known

    @cached_property
    def row_counts(self) -> RowCounts:
        """Of the events. The ids are those that no row of users or items names."""
        artifact = self.lake.artifact
        unknown = read_parquet(artifact.at(UNKNOWN_ITEMS), filesystem=artifact.home.filesystem)[ITEM_ID].to_pylist()
        ids = {
            key: frozenset(getattr(self.lake, name)()[key][self._accepted(name) :].to_pylist())
            for name, key in KEY_OF.items()
        }
        return row_counts_of(artifact.metadata, frozenset(unknown), ids)

    def catalogue(self, table: str, types: pa.Schema) -> Catalogue | None:
        """Users or items as they were read; None when a file of them is new, so that all must be read."""
        if not any(place.table == table for place in self.known):
            return None
        artifact = self.lake.artifact
        rows = getattr(self.lake, table)()[: self._accepted(table)].cast(types)
        broken = read_parquet(artifact.at(f"quarantine/{table}.parquet"), filesystem=artifact.home.filesystem)
        counts = artifact.metadata["counts"][table]
        return Catalogue(rows, broken.cast(QUARANTINE), counts["repeated"], counts["doubts"], counts["examples"])

    def check_items(self, now: pa.Table) -> None:
        """FullRebuildRequired when the items ``now`` (column item_id) would have events validated otherwise."""
        then = set(self.lake.items()[ITEM_ID][: self._accepted("items")].to_pylist())
        ids = set(now[ITEM_ID].to_pylist())
        if gone := then - ids:
            raise FullRebuildRequired(f"items has no {_named(gone)} any more")
        if found := (ids - then) & self.row_counts.unknown_items:
            raise FullRebuildRequired(f"events were refused for {_named(found)}, which items has now")

    def check_future(self, latest: datetime) -> None:
        """FullRebuildRequired when events were refused as in the future, and ``latest`` has come to them."""
        if (first_future := self.row_counts.first_future) is not None and first_future <= latest:
            raise FullRebuildRequired(
                f"an event of {first_future:%Y-%m-%d %H:%M} was refused as in the future, and is not any more"
            )

    def files(self, day: date) -> list[str]:
        """Paths of a day's files in the version."""
        return [p for p in sorted(self.lake.artifact.metadata["files"]) if p.startswith(f"events/{DAY}={day}/")]

    def quarantine(self) -> list[str]:
        """Paths of the events' quarantine in the version."""
        return [p for p in self.lake.artifact.metadata["files"] if p.startswith("quarantine/events-")]

    def ids_of_events(self, days: Collection[date] | None) -> list[Task]:
        """Tasks that read the columns ORDER and event_id of some days' events, None: of all days."""
        artifact = self.lake.artifact
        chosen = [p for day in self.row_counts.days if days is None or day in days for p in self.files(day)]
        sizes = artifact.metadata["files"]
        packs = coalesced([(artifact.at(path), sizes[path]["bytes"]) for path in chosen])
        return [partial(_ids, pack, artifact.home.filesystem) for pack in packs]

    def _accepted(self, table: str) -> int:
        return self.lake.rows(table)


def compare_with_current(home: Home, config_fingerprint: str, found: Mapping[str, Located]) -> PreviousLake:
    """The current version, as far as it holds for the files that were ``found`` now; else FullRebuildRequired."""
    try:
        version = lake_artifacts(home).current()
    except NotBuilt:
        raise FullRebuildRequired("there is no lake yet") from None
    if version.metadata.get("config_fingerprint") != config_fingerprint:
        raise FullRebuildRequired("a setting that the lake depends on, or Remora, is not as it was")
    fingerprints, known = read_fingerprints(version), dict[Place, FileFingerprint]()
    for table, located in found.items():
        files = [file for _, some in located for file in some.files]
        known_now = unchanged(table, files, fingerprints)
        there = [place for place in fingerprints if place.table == table]
        if table == "events":
            _check_events(files, there, known_now)
        elif len(known_now) != max(len(files), len(there)) or _has_future(version, table):
            # A row of the future is read again as well: by now its time may have come.
            continue  # read as a whole: a later row may supersede an earlier one
        known |= known_now
    return PreviousLake(Lake(version), known)


def duplicate_scope(data: DataSettings, events: TableSources) -> DuplicateScope:
    """On which days the events of new files may be already.

    An id of its own may be on any day. Without one the content of the row is the id: rows that are equal, column by
    column, have the same time when their source and their columns are the same.
    """
    if any(EVENT_ID in source.columns for source in data.events):
        return "any day"
    if data.duplicates == "keep":
        return "none"
    alike = len(data.events) == 1 and len({str(file_schema.schema) for file_schema in events.file_schemas()}) == 1
    return "same day" if alike else "any day"


def old_rows(version: Artifact, paths: Iterable[str], part: int, parts: int) -> pl.DataFrame | None:
    """The rows of a day that belong to its file ``part`` of ``parts``, in the lake's columns; None without any."""
    tables = [read_parquet(version.at(path), filesystem=version.home.filesystem) for path in paths]
    if not tables:
        return None
    rows = pl.DataFrame(pl.from_arrow(pa.concat_tables(tables)))
    return rows.filter(pl.col(SOURCE_ROW) % parts == part)


def _ids(paths: list[str], filesystem: pafs.FileSystem) -> Iterator[pa.Table]:
    for path in paths:
        table = read_parquet(path, [SOURCE_ROW, EVENT_ID], filesystem)
        yield table.rename_columns({SOURCE_ROW: ORDER}).replace_schema_metadata(None)


def _check_events(files: list[SourceFile], there: list[Place], known_now: Mapping[Place, Any]) -> None:
    """FullRebuildRequired unless every file of events that was read is as it was, and all new ones come after it."""
    now = {place_of("events", file): file for file in files}
    for place in there:
        if place not in now:
            raise FullRebuildRequired(f"{place.path} was read, and is gone")
        if place not in known_now:
            raise FullRebuildRequired(f"{place.path} was read, and {now[place].change}")
    for source in {place.source for place in there}:
        of_source = [place for place in now if place.source == source]
        old = sum(place in known_now for place in of_source)
        if early := [place.path for place in of_source[:old] if place not in known_now]:
            raise FullRebuildRequired(f"{early[0]} is new, and comes before files of its source that were read")


def _has_future(version: Artifact, table: str) -> bool:
    return FUTURE in version.metadata["counts"][table]["reasons"]


def _named(ids: set[str], most: int = 3) -> str:
    some = ", ".join(sorted(ids)[:most])
    return some if len(ids) <= most else f"{some} and {len(ids) - most:,} more"
