"""Slates wait for their answers to leave, and are then given together."""

from __future__ import annotations

import asyncio

import pytest
from tests.feedback.slates import slate

from remora.feedback.served_slate import ServedSlate
from remora.serving import after_answers
from remora.serving.after_answers import AfterAnswers


def test_nothing_is_given_before_other_work_of_the_loop_and_all_a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(after_answers, "SECONDS", 0.02)
    taken: list[ServedSlate] = []

    async def answering() -> list[int]:
        after, seen = AfterAnswers((taken.append,)), []
        for number in range(3):
            after.add(slate(number))
            await asyncio.sleep(0)  # a turn of the loop, in which an answer is written
            seen.append(len(taken))
        while not taken:
            await asyncio.sleep(0)
        return seen

    assert asyncio.run(answering()) == [0, 0, 0]
    assert [one.request_id for one in taken] == ["r0", "r1", "r2"]


def test_what_waits_can_be_given_at_once() -> None:
    taken: list[ServedSlate] = []

    async def ending() -> None:
        after = AfterAnswers((taken.append,))
        after.add(slate())
        after.flush()
        after.flush()

    asyncio.run(ending())
    assert len(taken) == 1
