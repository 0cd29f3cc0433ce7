"""Columns of ids that mean something else, told by how events spread over them; counted with the quality report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from remora.core.tables import ITEM_ID, USER_ID
from remora.ingest.findings import Finding

LEAST_EVENTS = 100
"""Of fewer events nothing can be said."""

LEAST_USERS = 20
ONE_USERS_SHARE = 0.2
ALL_BUT = 0.99


def concentration(per_user: Mapping[str, int], per_item: Mapping[str, int]) -> Iterator[Finding]:
    """Warnings about user or item ids that hardly come twice, and about a user who has much of all events."""
    events = sum(per_user.values())
    if events < LEAST_EVENTS:
        return
    for key, counts, other in ((USER_ID, per_user, "a session or an order"), (ITEM_ID, per_item, "a line of an order")):
        if len(counts) >= ALL_BUT * events:
            yield Finding(
                code="one_event_each",
                table="events",
                column=key,
                count=len(counts),
                of=events,
                examples=tuple(sorted(counts)[:3]),
                what=f"{events:,} events have {len(counts):,} different values of {key}: hardly one comes twice.",
                advice=f"Is the mapped column the id of {other}? Nothing can be learned about an id with one event.",
            )
    user, most = max(per_user.items(), key=lambda found: (found[1], found[0]))
    if len(per_user) >= LEAST_USERS and most >= ONE_USERS_SHARE * events:
        yield Finding(
            code="one_user_dominates",
            table="events",
            column=USER_ID,
            count=most,
            of=events,
            examples=(user,),
            what=f"One user has {most:,} of {events:,} events, beside {len(per_user) - 1:,} others.",
            advice="If the id stands for visitors without an account, or for a robot, filter it.",
        )
