"""Items or users as they were sent, each as it is now: collected files, and the log behind them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from remora.core.errors import NotReady, UnreadableInput
from remora.core.home import Home
from remora.core.parquet import read_parquet
from remora.events.compaction import ROWS_PER_FILE, CompactionState, noted_files, read_compacted
from remora.events.entity_update import EntityKind, EntityUpdate
from remora.events.from_settings import reader_of
from remora.events.log import LogTail
from remora.events.update_tables import decoded, updates_of
from remora.ingest.sent_updates import FOLDERS
from remora.settings import Settings

logger = logging.getLogger(__name__)


class EntityStates:
    """The update that holds for each item (or user) that was ever sent, a deleted one among them.

    One thread uses it. Nothing of its own is on a disk: whoever begins again has the same state, whatever was collected
    meanwhile.
    """

    def __init__(self, kind: EntityKind, known: Iterable[EntityUpdate], tail: LogTail) -> None:
        self._kind, self._tail = kind, tail
        self._current: dict[str, EntityUpdate] = {}
        self.current: Mapping[str, EntityUpdate] = MappingProxyType(self._current)
        """By id, what holds now."""
        self._fold(known)

    @classmethod
    def open(cls, settings: Settings, kind: EntityKind) -> EntityStates:
        """Read all that was sent so far. NotReady where the settings say of no place for a log; StorageError, NotReady
        while it cannot be read."""
        reader = reader_of(settings, kind)
        if reader is None:
            raise NotReady(
                f"There is no log of {kind}: the home is on a store of objects. Set events.folder or "
                "events.kafka.brokers."
            )
        home = Home(settings.home)
        # Before the files: what is collected meanwhile is read from the log, and then a second time from no file.
        compacted = read_compacted(home)
        read, updates = dict(compacted.read), [*_collected(home, kind, compacted, 0)]
        # Up to the end that the log has now, not as it comes: what was deleted is known from the first slate on.
        try:
            for batch in reader.batches(compacted.read, ROWS_PER_FILE):
                updates += decoded(kind, batch.contents)
                read |= batch.read
        except UnreadableInput as error:  # raised once all else is read: what was deleted there stays so
            logger.error("%s", error)
        # What was collected meanwhile may have been removed from the log at once.
        updates += _collected(home, kind, read_compacted(home), compacted.next_file)
        return cls(kind, updates, reader.tail(read))

    def poll(self, seconds: float) -> list[EntityUpdate]:
        """Updates that hold now and did not before, one an id; waits at most so long for the first. StorageError,
        NotReady while the log cannot be read."""
        return self._fold(decoded(self._kind, self._tail.poll(seconds)))

    def close(self) -> None:
        """Let the log go."""
        self._tail.close()

    def _fold(self, updates: Iterable[EntityUpdate]) -> list[EntityUpdate]:
        changed: dict[str, EntityUpdate] = {}
        for update in updates:
            known = self._current.get(update.id)
            if known is None or update.holds_over(known):
                self._current[update.id] = changed[update.id] = update
        return list(changed.values())


def _collected(home: Home, kind: EntityKind, done: CompactionState, since: int) -> Iterator[EntityUpdate]:
    """Of the files from that number on."""
    for name in noted_files(home, FOLDERS[kind], done, since=since):
        yield from updates_of(kind, read_parquet(home.at(f"{FOLDERS[kind]}/{name}"), None, home.filesystem))
