"""What a replica answers before it is given any request; its health check repeats one of them."""

from __future__ import annotations

import logging
import time

import numpy as np

from remora.pipeline import Query
from remora.serving.phases import Phases
from remora.surfaces.rehearsals import rehearsals

MOST_ROUNDS = 20

logger = logging.getLogger(__name__)


def rehearse(phases: Phases, *, within_ms: float) -> float:
    """Answer rehearsals in rounds until none of a round takes longer than ``within_ms``, and say how long the slowest
    of the last round took, in milliseconds.

    What a bundle cannot do is found out here: a bug in it ends the replica before it is given a request. A machine that
    is too slow does not: after some rounds it is said in the log, and requests will say it in ``degraded``.
    """
    queries = rehearsals(phases.release.parts)
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
