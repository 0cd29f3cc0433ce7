"""Waiting for so long and no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def with_timeout(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of ``work``; TimeoutError after ``seconds``, when it is cancelled and left to itself.

    :func:`asyncio.wait_for` would wait until the work has stopped: a call of a replica that hangs does that when it is
    answered, after seconds or never.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        _leave(task)
        raise
    if not done:
        _leave(task)
        raise TimeoutError
    return task.result()


def _leave(task: asyncio.Task[Any]) -> None:
    task.add_done_callback(lambda over: over.cancelled() or over.exception())  # mark it as seen
    task.cancel()
