"""From the log to files that the ingest reads: each record once, whoever dies meanwhile.

``events/compacted.json`` says how far each part of it was read and which file comes next. It is replaced once a file is
there; a file that is there without its document goes, and is written again with what is read again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from remora.core.errors import NotReady, UnreadableInput
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.core.locks import exclusive_lock
from remora.core.parquet import parquet_bytes
from remora.events.log import LogReader
from remora.events.tables import QUARANTINE, SLATES
from remora.ingest.sent_events import FOLDER
from remora.ingest.sent_updates import FOLDERS

DOCUMENT, LOCK = "events/compacted.json", "events/.compaction.lock"
ROWS_PER_FILE = 500_000
NAME = re.compile(r"\d{8}\.parquet")
COMMAND = "remora events collect"

HINT = (
    "It says which records of the log are in the folders beside it already. Put the file of a backup in its place, or "
    "remove it with those folders while the log still has everything (events.retention_days)."
)


class CompactionState(BaseModel):
    """How far the parts of logs were read, by name: where the next record begins. ``next_file`` counts files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    next_file: int = Field(0, ge=0)
    read: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """What one run did: rows by the folder that they went to, files, and segments that were removed for their age."""

    rows: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    removed: int = 0


Convert = Callable[[list[bytes]], Mapping[str, pa.Table]]
"""Records of a topic as tables, by the folder of the home that each goes to."""


def compact(
    home: Home,
    topics: Sequence[tuple[LogReader, Convert]],
    *,
    retention_seconds: float,
    rows: int = ROWS_PER_FILE,
) -> Compaction:
    """Bring what the logs have beyond the last time into files of the home, of at most ``rows`` records each.

    Parts of a log that are read whole and older than ``retention_seconds`` are removed. NotReady while another process
    does it; UnreadableInput where the document is damaged, or, once all else is brought, a part of a log.
    """
    with _lock(home):
        done, counts, files, damaged = _begin(home), Counter[str](), 0, list[UnreadableInput]()
        for reader, convert in topics:
            try:
                for batch in reader.batches(done.read, rows):
                    counts.update(_put(home, done, convert(batch.contents)))
                    done = _noted(home, CompactionState(next_file=done.next_file + 1, read={**done.read, **batch.read}))
                    files += 1
            except UnreadableInput as error:
                damaged.append(error)
        removed = {part for reader, _ in topics for part in reader.remove_old(done.read, retention_seconds)}
        if removed:
            # Of other parts nothing is forgotten: they may be on the disks of other nodes.
            read = {part: end for part, end in done.read.items() if part not in removed}
            _noted(home, CompactionState(next_file=done.next_file, read=read))
    if damaged:
        raise damaged[0]
    rows_by_folder = {where: count for where, count in counts.items() if count}
    return Compaction(rows=rows_by_folder, files=files, removed=len(removed))


def add_files(home: Home, batches: Iterable[list[bytes]], convert: Convert) -> int:
    """Put records that are in no log of this home beside those that were collected; how many files they became. As
    :func:`compact`."""
    with _lock(home):
        done, files = _begin(home), 0
        for contents in batches:
            _put(home, done, convert(contents))
            done = _noted(home, CompactionState(next_file=done.next_file + 1, read=done.read))
            files += 1
    return files


def _lock(home: Home) -> AbstractContextManager[None]:
    home.make_folder("events")
    busy = NotReady("Another command brings the events to the lake just now. Run this again when it is done.")
    return exclusive_lock(home, LOCK, command=COMMAND, on_busy=lambda: busy)


def _begin(home: Home) -> CompactionState:
    """How far it is. Files of a run that was killed before it noted them go: what they have comes again, and maybe
    under the number of another topic."""
    done = read_compacted(home)
    for folder in (FOLDER, QUARANTINE, SLATES, *FOLDERS.values()):
        for name in home.files(folder):
            if NAME.fullmatch(name) and int(name[:8]) >= done.next_file:
                home.delete(f"{folder}/{name}")
    return done


def noted_files(home: Home, folder: str, done: CompactionState, *, since: int = 0) -> list[str]:
    """Names of the folder's files that count, in their order, from the number ``since`` on: not those of a run that has
    not noted them, nor what others have put there."""
    named = [name for name in home.files(folder) if NAME.fullmatch(name)]
    return [name for name in named if since <= int(name[:8]) < done.next_file]


def _put(home: Home, done: CompactionState, tables: Mapping[str, pa.Table]) -> dict[str, int]:
    """Write tables under the number that is next; rows of each."""
    for where, table in tables.items():
        if table.num_rows:
            home.write_bytes(f"{where}/{done.next_file:08d}.parquet", parquet_bytes(table))
    return {where: table.num_rows for where, table in tables.items()}


def _noted(home: Home, done: CompactionState) -> CompactionState:
    home.write_bytes(DOCUMENT, done.model_dump_json(indent=1).encode())
    return done


def read_compacted(home: Home) -> CompactionState:
    """How far it is; nothing before the first time."""
    try:
        return read_document(home, DOCUMENT, CompactionState, HINT)
    except FileNotFoundError:
        return CompactionState()
