"""Follows the segments of a folder while they are written."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path

from remora.events.file_log import OPEN, SEALED
from remora.events.segment import records

SECONDS_BETWEEN_LOOKS = 0.005
RECORDS_AT_ONCE = 20_000

logger = logging.getLogger(__name__)


class SegmentTail:
    """As :class:`~remora.events.log.LogTail`. The folder is listed when it changes, open segments are looked at each
    time."""

    def __init__(self, folder: Path, read: Mapping[str, int]) -> None:
        self._folder, self._read = folder, dict(read)
        self._listed = -1
        self._sealed, self._open = list[str](), list[str]()

    def poll(self, seconds: float) -> list[bytes]:
        """As :class:`~remora.events.log.LogTail`; at most some ten thousand at once, so that much is taken in steps."""
        until = time.monotonic() + seconds
        while True:
            found = self._look()
            if found or time.monotonic() >= until:
                return found
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def close(self) -> None:
        """Nothing is held open."""

    def _look(self) -> list[bytes]:
        self._list()
        found = list[bytes]()
        while self._sealed:
            # What a sealed segment has stays: read to its end it is never looked at again.
            name = self._sealed[0]
            if not self._take(name, SEALED, found):
                return found
            self._sealed.pop(0)
        for name in self._open:
            if not self._take(name, OPEN, found):
                return found
        return found

    def _take(self, name: str, ending: str, found: list[bytes]) -> bool:
        """Is the segment read to its end?"""
        path = self._folder / f"{name}{ending}"
        try:
            if path.stat().st_size <= self._read.get(name, 0):
                return True
            for record in records(path, self._read.get(name, 0)):
                found.append(record.content)
                self._read[name] = record.end
                if len(found) >= RECORDS_AT_ONCE:
                    return False
            if ending == SEALED and (size := path.stat().st_size) > (end := self._read.get(name, 0)):
                logger.error("%s is not as it was written from byte %s on, and is left out", path, f"{end:,}")
                self._read[name] = size
        except FileNotFoundError:
            # Sealed since the folder was listed, which is then listed again; or removed for its age.
            self._listed = -1
        return True

    def _list(self) -> None:
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return  # nothing was logged yet
        if changed == self._listed:
            return
        names = sorted(os.listdir(self._folder))
        sealed = {name.removesuffix(SEALED) for name in names if name.endswith(SEALED)}
        self._open = [one for name in names if name.endswith(OPEN) and (one := name.removesuffix(OPEN)) not in sealed]
        ends = ((name, self._folder / f"{name}{SEALED}") for name in sorted(sealed))
        self._sealed = [name for name, path in ends if self._unread(name, path)]
        # Of a folder that changes within one tick of the file system's clock the next look may see no change.
        self._listed = changed if time.time_ns() - changed > 50_000_000 else -1

    def _unread(self, name: str, path: Path) -> bool:
        try:
            return path.stat().st_size > self._read.get(name, 0)
        except FileNotFoundError:
            return False
