"""A segment of the event log: one file of records that one process appends to, each whole or not there.

A record is its length and the CRC-32 of its bytes (two unsigned 32-bit integers, little-endian), then the bytes. What
a crash leaves of the last append fails one of the two and is not read.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from remora.core.home import flush_folder

HEAD = struct.Struct("<II")
MAX_RECORD_BYTES = 16 << 20
"""A longer length is damage: nothing writes such a record."""


@dataclass(frozen=True, kw_only=True)
class LogRecord:
    """``content``, and ``end``: the byte of the file at which the next record begins."""

    content: bytes
    end: int


class SegmentWriter:
    """Appends to a new file. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self.bytes = 0
        flush_folder(path.parent)

    def append(self, records: Sequence[bytes]) -> int:
        """The byte after the last record, once all of them are on the disk; after an OSError none is in the file."""
        content = b"".join(HEAD.pack(len(record), zlib.crc32(record)) + record for record in records)
        try:
            _write_all(self._handle, content)
            os.fdatasync(self._handle)
        except OSError:
            # What is there of it would be read as damage by whoever continues behind it.
            os.ftruncate(self._handle, self.bytes)
            raise
        self.bytes += len(content)
        return self.bytes

    def close(self) -> None:
        """Let the file go; what it has stays."""
        os.close(self._handle)


def records(path: Path, start: int = 0) -> Iterator[LogRecord]:
    """The whole records from byte ``start`` on, which is where one ends; what follows the last whole one is left out.

    More may be appended meanwhile: asked again from the last ``end``, it continues there.
    """
    with path.open("rb") as file:
        file.seek(start)
        end = start
        while len(head := file.read(HEAD.size)) == HEAD.size:
            length, checksum = HEAD.unpack(head)
            # Zeros are what some file systems leave behind the last record after a loss of power.
            if not 0 < length <= MAX_RECORD_BYTES:
                return
            content = file.read(length)
            if len(content) < length or zlib.crc32(content) != checksum:
                return
            end += HEAD.size + length
            yield LogRecord(content=content, end=end)


def whole_bytes(path: Path) -> int:
    """How much of a segment is whole records: what a crash left behind them does not count."""
    return max((record.end for record in records(path)), default=0)


def is_damaged(path: Path) -> bool:
    """Does a whole record stand behind one that is not? A crash leaves nothing whole behind what it cuts off."""
    with path.open("rb") as file:
        file.seek(whole_bytes(path))
        rest = file.read()
    return any(_is_record(rest, place) for place in range(1, len(rest) - HEAD.size))


def _is_record(content: bytes, place: int) -> bool:
    length, checksum = HEAD.unpack_from(content, place)
    start = place + HEAD.size
    if not 0 < length <= min(MAX_RECORD_BYTES, len(content) - start):
        return False
    return zlib.crc32(memoryview(content)[start : start + length]) == checksum


def _write_all(handle: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]
