"""What a sender of events reads of the answer to them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class SentVerdict(BaseModel):
    """Of one event; ``reason`` is empty unless it is quarantined."""

    verdict: Literal["accepted", "duplicate", "quarantined"]
    reason: str = ""


class VerdictsAnswer(BaseModel):
    """Of the events of one request, in their order."""

    verdicts: list[SentVerdict]
