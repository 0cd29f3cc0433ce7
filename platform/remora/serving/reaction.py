"""How fast a slate follows what its user does: events are sent, and slates asked for until they are others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from remora.serving.client import ask
from remora.serving.event_sender import send
from remora.serving.schemas import RecommendRequest
from remora.surfaces.responses import RecommendResponse

PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Reaction:
    """The slates ``before`` and ``after`` some events. ``milliseconds`` passed from the answer to the events until a
    changed slate had come; None where none did in ten seconds."""

    user_id: str
    event_type: str
    sent: Sequence[str]
    before: RecommendResponse
    after: RecommendResponse
    milliseconds: float | None


def react(url: str, user_id: str, *, event_type: str, events: int, n: int) -> Reaction:
    """Let a user act on the first ``events`` items of the slate. NotReady when nothing answers, BadRequest where the
    events are refused."""
    request = RecommendRequest(user_id=user_id, n=n)
    before = ask(url, request)
    shown = [item.item_id for item in before.items]
    sent = shown[:events]
    send(url, ({"user_id": user_id, "item_id": item, "event_type": event_type} for item in sent))
    begun = time.perf_counter()
    changed, passed = False, 0.0
    while not changed and passed < PATIENCE_SECONDS:
        after = ask(url, request)
        changed = [item.item_id for item in after.items] != shown
        passed = time.perf_counter() - begun
    return Reaction(
        user_id=user_id,
        event_type=event_type,
        sent=sent,
        before=before,
        after=after,
        milliseconds=passed * 1e3 if changed else None,
    )
