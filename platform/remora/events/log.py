"""What a log is to those who write to it and to those who collect what it has."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class EventLog(Protocol):
    """Where records are kept; used by one thread."""

    def append(self, records: Sequence[bytes]) -> None:
        """Return once all are durable. After an OSError whoever sent them sends them again; some may be there."""

    def seal_if_old(self) -> None:
        """Called now and then while nothing comes."""

    def seal(self) -> None:
        """Called at the end."""


class LogBatch(NamedTuple):
    """Records of a log, and how far each of its parts is read with them."""

    contents: list[bytes]
    read: Mapping[str, int]


class LogTail(Protocol):
    """Follows a log from where it was read to; used by one thread."""

    def poll(self, seconds: float) -> list[bytes]:
        """Records that nothing was given of yet; waits at most so long for the first. StorageError, NotReady while the
        log cannot be read: what it has then comes later."""

    def close(self) -> None:
        """Let files and connections go."""


class LogReader(Protocol):
    """What a log has, in parts that grow at their end: files, or partitions."""

    def exists(self) -> bool:
        """Was anything ever written to it, as far as is known here?"""

    def batches(self, read: Mapping[str, int], rows: int) -> Iterator[LogBatch]:
        """All that is there beyond ``read``, at most ``rows`` records at a time. Of a part that is not named all."""

    def tail(self, read: Mapping[str, int]) -> LogTail:
        """What is there beyond ``read``, and what comes."""

    def uncollected(self, read: Mapping[str, int]) -> int:
        """How much is there beyond ``read``: bytes of files, records of partitions."""

    def remove_old(self, read: Mapping[str, int], retention_seconds: float) -> Collection[str]:
        """Remove parts that are read whole and older, and say which."""
