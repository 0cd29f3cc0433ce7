"""A log in files: each writer has a segment of its own, sealed when it is full or old and never changed then."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from remora.core.home import flush_folder
from remora.events.segment import SegmentWriter, is_damaged, whole_bytes

OPEN, SEALED = ".open", ".log"


class FileLog:
    """Appends to segments in ``folder``; one thread of one process uses it.

    A segment is sealed once it has ``segment_bytes`` or is ``segment_seconds`` old. After an error of the disk nothing
    more is written into the segment of before.
    """

    def __init__(self, folder: Path, *, segment_bytes: int, segment_seconds: float) -> None:
        self.folder, self.segment_bytes, self.segment_seconds = folder, segment_bytes, segment_seconds
        self._writer: SegmentWriter | None = None
        self._lock = -1
        self._opened = 0.0

    def append(self, records: Sequence[bytes]) -> None:
        """Return once all of them are on the disk; OSError: none of them is in the log."""
        writer = self._writer or self._begin()
        try:
            writer.append(records)
        except OSError:
            self.seal()
            raise
        if writer.bytes >= self.segment_bytes:
            self.seal()

    def seal_if_old(self) -> None:
        """Seal the segment if its time is up, so that what it has can be read although little comes."""
        if self._writer is not None and time.monotonic() - self._opened >= self.segment_seconds:
            self.seal()

    def seal(self) -> None:
        """Seal what is open; the next append begins another segment."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            if writer.bytes:
                _rename(writer.path)
            else:
                writer.path.unlink(missing_ok=True)
        finally:
            # Without the lock another process may seal it.
            writer.close()
            os.close(self._lock)

    def _begin(self) -> SegmentWriter:
        for folder in (*reversed(self.folder.parents), self.folder):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:12]}{OPEN}"
        writer = SegmentWriter(self.folder / name)
        self._lock = os.open(writer.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._writer, self._opened = writer, time.monotonic()
        return writer


def sealed(folder: Path) -> list[Path]:
    """All sealed segments in the order of their beginnings, after those have been sealed that a dead process left."""
    for path in sorted(folder.glob(f"*{OPEN}")):
        _seal_if_left(path)
    return sorted(folder.glob(f"*{SEALED}"))


def _seal_if_left(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:  # sealed just now
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not path.exists():
            return
        # The lock is taken a moment after the file is made: an empty one may be about to be written.
        whole = whole_bytes(path)
        if is_damaged(path):
            _rename(path)  # as it is: whoever reads it says so
        elif whole:
            os.ftruncate(handle, whole)
            os.fsync(handle)
            _rename(path)
        elif time.time() - path.stat().st_mtime > 60:
            path.unlink(missing_ok=True)
    except BlockingIOError:  # its writer lives
        return
    finally:
        os.close(handle)


def _rename(path: Path) -> None:
    os.replace(path, path.with_suffix(SEALED))
    flush_folder(path.parent)
