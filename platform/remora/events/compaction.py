"""From the segments of the log to files that the ingest reads: each record once, whoever dies meanwhile.

``events/compacted.json`` says how far each segment was read and which file comes next. It is replaced after each file
is there; a file that is there without its document is written again, under the same number, with what is read again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.core.locks import exclusive_lock
from remora.events.file_log import OPEN, SEALED, sealed
from remora.events.segment import records

DOCUMENT, LOCK = "events/compacted.json", "events/.compaction.lock"
ROWS_PER_FILE = 500_000
COMMAND = "remora events collect"

HINT = (
    "It says which events are in events/accepted already. Put the file of a backup in its place, or remove it with the "
    "folders events/accepted and events/quarantine while the log still has everything (events.retention_days)."
)


class CompactionState(BaseModel):
    """How far segments were read, by name: the byte at which the next record begins. ``next_file`` counts files."""

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
    home: Home, topics: Mapping[Path, Convert], *, retention_seconds: float, rows: int = ROWS_PER_FILE
) -> Compaction:
    """Bring what the segments in the folders have beyond the last time into files of the home, of at most ``rows``
    records each.

    Segments that are still written are read as far as they go. Those that are sealed, read whole and older than
    ``retention_seconds`` are removed. NotReady while another process does it; UnreadableInput where the document is
    damaged.
    """
    home.make_folder("events")
    busy = NotReady("Another command brings the events to the lake just now. Run this again when it is done.")
    with exclusive_lock(home, LOCK, command=COMMAND, on_busy=lambda: busy):
        done, counts, files = read_compacted(home), Counter[str](), 0
        for folder, convert in topics.items():
            for contents, read in _batches(folder, done.read, rows):
                for where, table in convert(contents).items():
                    if table.num_rows:
                        home.write_bytes(f"{where}/{done.next_file:08d}.parquet", _parquet(table))
                    counts[where] += table.num_rows
                done, files = CompactionState(next_file=done.next_file + 1, read=done.read | read), files + 1
                home.write_bytes(DOCUMENT, done.model_dump_json(indent=1).encode())
        removed = _remove_old(home, topics, done, retention_seconds)
    return Compaction(rows={where: count for where, count in counts.items() if count}, files=files, removed=removed)


def read_compacted(home: Home) -> CompactionState:
    """How far it is; nothing before the first time."""
    try:
        return read_document(home, DOCUMENT, CompactionState, HINT)
    except FileNotFoundError:
        return CompactionState()


def segments(folder: Path) -> list[Path]:
    """Sealed and open ones by name, which begins with the time: one that is sealed meanwhile keeps its place."""
    return sorted([*sealed(folder), *folder.glob(f"*{OPEN}")], key=lambda path: path.stem)


def _batches(folder: Path, read: dict[str, int], rows: int) -> Iterator[tuple[list[bytes], dict[str, int]]]:
    """New records of a folder's segments in their order, and how far each segment is read with them."""
    contents, ends = list[bytes](), dict[str, int]()
    for path in segments(folder):
        # An open one may have been sealed since it was listed; what a sealed one has stays.
        for record in records(path if path.exists() else path.with_suffix(SEALED), read.get(path.stem, 0)):
            contents.append(record.content)
            ends[path.stem] = record.end
            if len(contents) == rows:
                yield contents, ends
                contents, ends = [], {}
    if contents:
        yield contents, ends


def _remove_old(home: Home, folders: Iterable[Path], done: CompactionState, retention_seconds: float) -> int:
    removed, there = 0, set[str]()
    for folder in folders:
        for path in segments(folder):
            found = path.stat()
            whole = path.suffix == SEALED and done.read.get(path.stem, 0) >= found.st_size
            if whole and time.time() - found.st_mtime > retention_seconds:
                path.unlink()
                removed += 1
            else:
                there.add(path.stem)
    kept = CompactionState(
        next_file=done.next_file, read={name: end for name, end in done.read.items() if name in there}
    )
    if kept != done:
        home.write_bytes(DOCUMENT, kept.model_dump_json(indent=1).encode())
    return removed


def _parquet(table: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue().to_pybytes()
