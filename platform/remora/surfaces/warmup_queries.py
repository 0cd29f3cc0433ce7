"""Requests that a bundle answers before it is given any, made of its catalogue: a bundle holds no user's data."""

from __future__ import annotations

import numpy as np

from remora.core.vocabulary import ItemCodes
from remora.pipeline import Query, StageContext

UNKNOWN_USER = ""
"""The user of a warm-up query. No request can name it, so the store is asked like for any other and knows nothing."""

SOME = 20
HISTORIES = (0, 1, SOME, 200)
"""Positive items of the users of warm-up queries, who wanted the most popular ones."""

N = 10


def warmup_queries(context: StageContext) -> tuple[Query, ...]:
    """A request of each surface for a user of nothing, of one positive item, of some, of many."""
    popular = _popular(context)
    return tuple(
        _query(context, surface, popular[: length + 1], UNKNOWN_USER)
        for surface in context.settings.surfaces
        for length in HISTORIES
    )


def probe(context: StageContext) -> Query:
    """One request that asks nothing of the store of users, which may be out."""
    return _query(context, context.settings.ranking.surface, _popular(context)[: SOME + 1], None)


def probes(context: StageContext) -> tuple[Query, ...]:
    """The same of each surface."""
    popular = _popular(context)[: SOME + 1]
    return tuple(_query(context, surface, popular, None) for surface in context.settings.surfaces)


def _popular(context: StageContext) -> ItemCodes:
    return context.snapshot.most_popular[: max(HISTORIES) + 1]


def _query(context: StageContext, surface: str, popular: ItemCodes, user: str | None) -> Query:
    """About the first of some items, for a user who wanted the others."""
    return Query(
        request_id="warmup",
        surface=surface,
        n=N,
        instant=context.instant(),
        user_id=user,
        seed_item=int(popular[0]),
        user_found=len(popular) > 1,
        history=popular[1:],
        seen=np.sort(popular[1:]),
    )
