"""Peak memory of a process and all its descendants together, sampled from a thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

INTERVAL_SECONDS, SHARE = 0.5, 0.02
"""Range two samples; more where a sample takes more than this share of the time, since what it reads is held up."""


@dataclass
class Usage:
    """``peak_bytes`` is the highest sum of PSS seen (shared pages, the object store's too, count once); wall time."""

    peak_bytes: int = 0
    processes: int = 0
    samples: int = 0
    wall_seconds: float = 0.0


@contextlib.contextmanager
def measured() -> Iterator[Usage]:
    """Sample while inside."""
    usage, stop = Usage(), threading.Event()
    thread = threading.Thread(target=_sample, args=(usage, stop), daemon=True)
    started = time.perf_counter()
    thread.start()
    try:
        yield usage
    finally:
        usage.wall_seconds = time.perf_counter() - started
        stop.set()
        thread.join()


def _sample(usage: Usage, stop: threading.Event) -> None:
    root = psutil.Process()
    pause = INTERVAL_SECONDS
    while not stop.wait(pause):
        total = count = 0
        began = time.perf_counter()
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
                count += 1
        usage.samples += 1
        pause = max(INTERVAL_SECONDS, (time.perf_counter() - began) / SHARE)
        if total > usage.peak_bytes:
            usage.peak_bytes, usage.processes = total, count
