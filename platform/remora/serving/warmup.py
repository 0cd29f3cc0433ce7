"""What a replica answers before it is given any request; its health check repeats one of them."""

from __future__ import annotations

import logging
import time

import numpy as np

from remora.control.traffic import PRODUCTION
from remora.pipeline import Query
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.rpc import recommender_pb2 as wire
from remora.serving.rpc.as_message import as_message
from remora.surfaces.responses import response_to
from remora.surfaces.warmup_queries import UNKNOWN_USER, warmup_queries

MOST_ROUNDS = 20

logger = logging.getLogger(__name__)


def warm_up(loaded: LoadedBundle, *, within_ms: float) -> float:
    """Answer warm-up queries in rounds until none of a round takes longer than ``within_ms``; the result is the time of
    the slowest of the last round, in milliseconds. Each answer is made into what HTTP and gRPC send.

    What a bundle cannot do is found out here: a bug in it ends the replica before it is given a request. A machine that
    is too slow does not: after some rounds it is said in the log, and requests will say it in ``degraded``.
    """
    queries = warmup_queries(loaded.context)
    loaded.context.vocabulary.row(UNKNOWN_USER)  # so that ids can be looked up
    slowest = np.inf
    for _ in range(MOST_ROUNDS):
        slowest = max(_milliseconds(loaded, query) for query in queries)
        if slowest <= within_ms:
            logger.info("warmed up bundle %s: the slowest answer took %.1f ms", loaded.bundle, slowest)
            return slowest
    logger.warning(
        "bundle %s: after %d rounds of warm-up an answer takes %.0f ms, longer than a request's %.0f ms",
        loaded.bundle,
        MOST_ROUNDS,
        slowest,
        within_ms,
    )
    return slowest


def _milliseconds(loaded: LoadedBundle, query: Query) -> float:
    start = time.perf_counter()
    response = response_to(query, loaded.run(query), loaded.context, bundle=loaded.bundle, variant=PRODUCTION)
    milliseconds = (time.perf_counter() - start) * 1e3
    response.model_dump_json()
    as_message(response, wire.RecommendResponse())
    return milliseconds
