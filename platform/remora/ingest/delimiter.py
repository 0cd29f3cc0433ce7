"""Delimiters of more than one character (`::`), which the CSV reader does not know, put as one that it does."""

from __future__ import annotations

import io

import pyarrow as pa

ONE_CHARACTER = b"\x1f"
"""ASCII's unit separator: what takes the delimiter's place, and what no file may hold beside it."""


class OneCharacter(io.RawIOBase):
    """A stream of bytes with each ``delimiter`` replaced; OSError for a stream that has ONE_CHARACTER of its own."""

    def __init__(self, stream: pa.NativeFile, delimiter: bytes) -> None:
        super().__init__()
        self._stream, self._delimiter, self._rest = stream, delimiter, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1) -> bytes:
        """About ``size`` bytes of the stream, replaced; empty at its end.

        A delimiter may begin in one read and end in the next: bytes that may be its beginning wait.
        OSError when the stream holds the character that stands for the delimiter.
        """
        while True:
            piece = self._stream.read(size if size > 0 else None)
            if ONE_CHARACTER in piece:
                raise OSError(f"it holds the character {ONE_CHARACTER!r}, which stands for a long delimiter")
            whole = self._rest + piece
            if not piece or size <= 0:
                self._rest = b""
                return whole.replace(self._delimiter, ONE_CHARACTER)
            *before, last = whole.split(self._delimiter)
            keep = self._begun(last)
            self._rest = last[len(last) - keep :]
            # Not an empty answer before the end: to the reader that is the end.
            if ready := ONE_CHARACTER.join([*before, last[: len(last) - keep]]):
                return ready

    def _begun(self, text: bytes) -> int:
        """How many bytes at the end of a text may be the beginning of a delimiter."""
        longest = min(len(text), len(self._delimiter) - 1)
        return next((n for n in range(longest, 0, -1) if text.endswith(self._delimiter[:n])), 0)
