"""CPU time of a process and all its descendants, sampled from a thread: what else the machine does changes it less."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import psutil

INTERVAL_SECONDS = 0.25
"""What a process does after the last sample before its end is not counted."""


class CoreSeconds:
    """The time that each process that was seen has taken since then; the process itself from the beginning on."""

    def __init__(self) -> None:
        self._root = psutil.Process()
        self._before = _taken(self._root)
        self._last: dict[tuple[int, float], float] = {}

    @property
    def total(self) -> float:
        """Of all processes, up to the last look."""
        return sum(self._last.values()) - self._before

    def look(self) -> None:
        """At all that are there now."""
        for process in [self._root, *self._root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                self._last[process.pid, process.create_time()] = _taken(process)


@contextlib.contextmanager
def core_seconds() -> Iterator[CoreSeconds]:
    """Count while inside."""
    counted, stop = CoreSeconds(), threading.Event()

    def sample() -> None:
        while not stop.wait(INTERVAL_SECONDS):
            counted.look()

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield counted
    finally:
        stop.set()
        thread.join()
        counted.look()


def _taken(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
