"""Reads the segments of a folder, those that are still written among them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from remora.core.errors import UnreadableInput
from remora.events.file_log import OPEN, SEALED, sealed
from remora.events.log import LogBatch
from remora.events.segment import records
from remora.events.segment_tail import SegmentTail

HINT = (
    "All before it is collected. Put the file of a backup in its place and run this again; or remove it, and what it "
    "has from there on is lost."
)


@dataclass(frozen=True)
class SegmentReader:
    """The log of a folder; a part is a segment, by its name without the ending."""

    folder: Path

    def exists(self) -> bool:
        """Is there the folder?"""
        return self.folder.is_dir()

    def batches(self, read: Mapping[str, int], rows: int) -> Iterator[LogBatch]:
        """Segments in the order of their beginnings; as :class:`~remora.events.log.LogReader`.

        UnreadableInput, once all else is read, for a sealed one that is not as it was written.
        """
        contents, ends, damaged = list[bytes](), dict[str, int](), list[tuple[Path, int]]()
        for listed in self._segments():
            # An open one may have been sealed since it was listed; what a sealed one has stays.
            path = listed if listed.exists() else listed.with_suffix(SEALED)
            end = read.get(path.stem, 0)
            for record in records(path, end):
                contents.append(record.content)
                end = ends[path.stem] = record.end
                if len(contents) == rows:
                    yield LogBatch(contents, ends)
                    contents, ends = [], {}
            if path.suffix == SEALED and end < path.stat().st_size:
                damaged.append((path, end))
        if contents:
            yield LogBatch(contents, ends)
        for path, end in damaged:
            raise UnreadableInput(str(path), f"what it has from byte {end:,} on is not as it was written", HINT)

    def tail(self, read: Mapping[str, int]) -> SegmentTail:
        """Of this node's folder."""
        return SegmentTail(self.folder, read)

    def uncollected(self, read: Mapping[str, int]) -> int:
        """Bytes."""
        sizes = {path.stem: path.stat().st_size for path in self._segments() if path.exists()}
        return sum(max(0, size - read.get(name, 0)) for name, size in sizes.items())

    def remove_old(self, read: Mapping[str, int], retention_seconds: float) -> Collection[str]:
        """Sealed segments alone."""
        removed = list[str]()
        for path in sealed(self.folder):
            found = path.stat()
            if read.get(path.stem, 0) >= found.st_size and time.time() - found.st_mtime > retention_seconds:
                path.unlink()
                removed.append(path.stem)
        return removed

    def _segments(self) -> list[Path]:
        """Sealed and open ones by name, which begins with the time; nothing is changed by looking."""
        # Open ones first: one that is sealed between the two is found sealed.
        found = {path.stem: path for ending in (OPEN, SEALED) for path in self.folder.glob(f"*{ending}")}
        return [found[name] for name in sorted(found)]
