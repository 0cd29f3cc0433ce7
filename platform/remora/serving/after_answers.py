"""What is done with served slates waits until their answers have left."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from remora.feedback.served_slate import ServedSlate, SlateSink, give

SECONDS = 0.005
"""An answer is on its way by then: the loop writes its head and its body in turns of their own, between which nothing
that takes as long as counting may come."""


class AfterAnswers:
    """Gives slates to sinks a moment later, all that wait at once. It belongs to the event loop and has no lock."""

    def __init__(self, sinks: Sequence[SlateSink]) -> None:
        self._sinks = sinks
        self._waiting: list[ServedSlate] = []

    def add(self, slate: ServedSlate) -> None:
        """Take a slate whose answer is about to leave."""
        self._waiting.append(slate)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_later(SECONDS, self.flush)

    def flush(self) -> None:
        """Give them now."""
        waiting, self._waiting = self._waiting, []
        for slate in waiting:
            give(slate, self._sinks)
