"""From the log to files that the ingest reads: each record once, whoever dies meanwhile.

``events/compacted.json`` says how far each part of it was read and which file comes next. It is replaced once a file is
there; a file that is there without its document is written again, under the same number, with what is read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.core.json_document import read_document
from remora.core.locks import exclusive_lock
from remora.core.parquet import parquet_bytes
from remora.events.log import LogReader

DOCUMENT, LOCK = "events/compacted.json", "events/.compaction.lock"
ROWS_PER_FILE = 500_000
COMMAND = "remora events collect"

HINT = (
    "It says which events are in events/accepted already. Put the file of a backup in its place, or remove it with the "
    "folders events/accepted and events/quarantine while the log still has everything (events.retention_days)."
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
    does it; UnreadableInput where the document is damaged.
    """
    home.make_folder("events")
    busy = NotReady("Another command brings the events to the lake just now. Run this again when it is done.")
    with exclusive_lock(home, LOCK, command=COMMAND, on_busy=lambda: busy):
        done, counts, files = read_compacted(home), Counter[str](), 0
        for reader, convert in topics:
            for batch in reader.batches(done.read, rows):
                for where, table in convert(batch.contents).items():
                    if table.num_rows:
                        home.write_bytes(f"{where}/{done.next_file:08d}.parquet", parquet_bytes(table))
                    counts[where] += table.num_rows
                done = CompactionState(next_file=done.next_file + 1, read={**done.read, **batch.read})
                home.write_bytes(DOCUMENT, done.model_dump_json(indent=1).encode())
                files += 1
        removed = {part for reader, _ in topics for part in reader.remove_old(done.read, retention_seconds)}
        if removed:
            # Of other parts nothing is forgotten: they may be on the disks of other nodes.
            read = {part: end for part, end in done.read.items() if part not in removed}
            kept = CompactionState(next_file=done.next_file, read=read)
            home.write_bytes(DOCUMENT, kept.model_dump_json(indent=1).encode())
    rows_by_folder = {where: count for where, count in counts.items() if count}
    return Compaction(rows=rows_by_folder, files=files, removed=len(removed))


def read_compacted(home: Home) -> CompactionState:
    """How far it is; nothing before the first time."""
    try:
        return read_document(home, DOCUMENT, CompactionState, HINT)
    except FileNotFoundError:
        return CompactionState()
