"""The threads in which a replica runs stages, so that its event loop stays free for health checks and requests."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

PROBE_TIMEOUT_SECONDS = 20.0


class StageThreads:
    """Few threads: stages share the interpreter lock, so replicas are what scales."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="stages")

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of ``work``, run in one of the threads."""
        context = contextvars.copy_context()  # so that a stage's span lies within its request's
        running = asyncio.get_running_loop()
        return await running.run_in_executor(self._pool, lambda: context.run(work, *args, **kwargs))

    def wait_for(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for who has no event loop yet."""
        return self._pool.submit(work, *args, **kwargs).result()

    async def probe(self, work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Raise TimeoutError when the threads do not get to the end of ``work``, as when a stage hangs."""
        await asyncio.wait_for(self.do(work, *args, **kwargs), PROBE_TIMEOUT_SECONDS)
