"""Nobody waits longer than they said, whatever they wait for."""

from __future__ import annotations

import asyncio

import pytest

from remora.serving.timeouts import with_timeout


async def answered(what: object) -> object:
    if isinstance(what, Exception):
        raise what
    return what


def test_what_comes_in_time_is_the_answer_or_the_error() -> None:
    assert asyncio.run(with_timeout(60, answered(3))) == 3
    with pytest.raises(ZeroDivisionError):
        asyncio.run(with_timeout(60, answered(ZeroDivisionError())))


def test_work_that_does_not_stop_when_cancelled_is_not_waited_for() -> None:
    async def asked() -> list[str]:
        seen, free = [], asyncio.Event()

        async def stubborn() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("told to stop")
                await free.wait()
                seen.append("stopped")
                raise ZeroDivisionError from None  # and nobody hears of it

        with pytest.raises(TimeoutError):
            await with_timeout(0.01, stubborn())
        before = list(seen)
        free.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return [*before, "given up", *seen[len(before) :]]

    assert asyncio.run(asked()) in (["told to stop", "given up", "stopped"], ["given up", "told to stop", "stopped"])


def test_work_whose_caller_is_gone_is_cancelled() -> None:
    async def asked() -> bool:
        stopped, begun = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

        waiting = asyncio.create_task(with_timeout(60, work()))
        await begun.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await stopped.wait()
        return True

    assert asyncio.run(asked())
