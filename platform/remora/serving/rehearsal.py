"""Requests that a replica answers before it is given any; its health check repeats one.

They are made of the catalogue, because a bundle holds nobody's data: users who wanted its most popular items.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import numpy as np

from remora.contracts.vocabulary import Rows
from remora.pipeline import Query
from remora.serving.messages import DEFAULT_N, DEFAULT_SURFACE
from remora.serving.phases import Phases
from remora.serving.release import Release

NOBODY = ""
"""The user of a rehearsal. No request can name it, so the store is asked like for any other and knows nothing."""

SOME = 20
HISTORIES = (0, 1, SOME, 200)
"""Wanted items of the users of rehearsals."""

MOST_ROUNDS = 20

logger = logging.getLogger(__name__)


def rehearsals(release: Release) -> tuple[Query, ...]:
    """A request of each surface for a user of nothing, of one wanted item, of some, of many."""
    popular = _popular(release)
    return tuple(
        _query(release, surface, popular[: wanted + 1]) for surface in release.surfaces for wanted in HISTORIES
    )


def probe(release: Release) -> Query:
    """One request along the whole way that asks nothing of the store of users, which may be out."""
    return replace(_query(release, DEFAULT_SURFACE, _popular(release)[: SOME + 1]), user_id=None)


def _popular(release: Release) -> Rows:
    return np.argsort(-release.parts.snapshot.popularity, kind="stable")[: max(HISTORIES) + 1].astype(np.int32)


def _query(release: Release, surface: str, popular: Rows) -> Query:
    """About the first of some items, for a user who wanted the others."""
    return Query(
        request_id="rehearsal",
        surface=surface,
        n=DEFAULT_N,
        instant=release.instant(),
        user_id=NOBODY,
        item=int(popular[0]),
        known=len(popular) > 1,
        history=popular[1:],
        seen=np.sort(popular[1:]),
    )


def rehearse(phases: Phases, *, within_ms: float) -> float:
    """Answer rehearsals in rounds until none of a round takes longer than ``within_ms``, and say how long the slowest
    of the last round took, in milliseconds.

    What a bundle cannot do is found out here: a bug in it ends the replica before it is given a request. A machine that
    is too slow does not: after some rounds it is said in the log, and requests will say it in ``degraded``.
    """
    queries = rehearsals(phases.release)
    slowest = np.inf
    for _ in range(MOST_ROUNDS):
        slowest = max(_milliseconds(phases, query) for query in queries)
        if slowest <= within_ms:
            logger.info("rehearsed bundle %s: the slowest answer took %.1f ms", phases.release.bundle, slowest)
            return slowest
    logger.warning(
        "bundle %s: after %d rounds of rehearsal an answer takes %.0f ms, longer than a request's %.0f ms",
        phases.release.bundle,
        MOST_ROUNDS,
        slowest,
        within_ms,
    )
    return slowest


def _milliseconds(phases: Phases, query: Query) -> float:
    start = time.perf_counter()
    phases.run(query)
    return (time.perf_counter() - start) * 1e3
