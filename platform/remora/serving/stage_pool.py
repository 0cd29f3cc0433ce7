"""The threads in which a replica runs stages, so that its event loop stays free for health checks and requests."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class QueueDelay:
    """How much work of the last while started later than ``tolerated_seconds`` after it came, or was given up first."""

    def __init__(self, tolerated_seconds: float) -> None:
        self.tolerated_seconds = tolerated_seconds
        self._came = self._late = 0

    def note(self, seconds: float) -> None:
        """Count a piece of work that started, or was given up, ``seconds`` after it came; infinity is late."""
        self._came += 1
        self._late += seconds > self.tolerated_seconds

    def late_share(self) -> float:
        """Of what was counted since this was asked last; 0 where nothing was."""
        share = self._late / self._came if self._came else 0.0
        self._came = self._late = 0
        return share


class StagePool:
    """Few threads: stages share the interpreter lock, so replicas are what scales."""

    def __init__(self, threads: int, tolerated_wait_seconds: float = float("inf")) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="stages")
        self._at_work: dict[int, float] = {}
        self.waits = QueueDelay(tolerated_wait_seconds)

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``work``, run in one of the threads; what is given up before it starts is not run."""
        context = contextvars.copy_context()  # so that a stage's span lies within its request's
        came, started = time.perf_counter(), False

        def run() -> T:
            nonlocal started
            started = True
            now = time.perf_counter()
            self.waits.note(now - came)
            self._at_work[threading.get_ident()] = now
            try:
                return context.run(work, *args, **kwargs)
            finally:
                del self._at_work[threading.get_ident()]

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, run)
        except asyncio.CancelledError:
            # Work that starts is noted by the thread; this was given up while it waited.
            if not started:
                self.waits.note(float("inf"))
            raise

    def wait_for(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for who has no event loop yet."""
        return self._pool.submit(work, *args, **kwargs).result()

    def longest_seconds(self) -> float:
        """For how long what has been at work longest has been; 0 while nothing is. Work that waits does not count."""
        # Copied, as threads begin and end work meanwhile.
        begun = list(self._at_work.values())
        return time.perf_counter() - min(begun) if begun else 0.0
