"""How long the pipelines take, in process and warm: the candidate's and production's in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remora.pipeline import PipelineState
from remora.pipeline.cache import Cache
from remora.release.gates.evidence.bundle_under_test import BundleUnderTest
from remora.release.gates.latency import Latency
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.settings.retrieval import TWO_TOWER

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class BundleRequests:
    """A bundle and the requests in its rows, hydrated: what the store of users takes is not the bundle's time."""

    loaded: BundleUnderTest
    requests: Sequence[PipelineState]


def latency(
    candidate: BundleRequests, production: BundleRequests | None, settings: Settings, clock: Clock = time.perf_counter
) -> Latency:
    """Ask each request of both, one right after the other, in several rounds; ``clock`` gives seconds."""
    both = [candidate, *([production] if production else [])]
    for of in both:
        # A vector that is remembered costs nothing; here every request is to cost what a user's first one does.
        of.loaded.context.model(TWO_TOWER, Towers).encoder.cache = Cache("vectors", 1, ttl_seconds=0.0)
    rounds = [_round(both, clock) for _ in range(1 + settings.gates.latency_rounds)][1:]  # the first one warms up
    # What else the machine does only adds to a request's time: its fastest round is the nearest to its own.
    fastest = np.min(rounds, axis=0)
    p50, p99 = _percentiles(fastest[0])
    their_p50, their_p99 = _percentiles(fastest[1]) if production else (None, None)
    return Latency(
        p50_ms=p50,
        p99_ms=p99,
        production_p50_ms=their_p50,
        production_p99_ms=their_p99,
        ratio=float(np.median(fastest[0] / np.maximum(fastest[1], 1e-6))) if production else None,
        requests=len(candidate.requests),
        rounds=settings.gates.latency_rounds,
        timeout_ms=settings.serving.timeout_ms,
    )


def _round(both: Sequence[BundleRequests], clock: Clock) -> npt.NDArray[np.float64]:
    """Milliseconds (bundles, requests); who is asked first changes from request to request."""
    taken = np.zeros((len(both), len(both[0].requests)))
    for index in range(taken.shape[1]):
        # Who is second finds caches warm; taking turns, neither side gains by it.
        order = range(len(both)) if index % 2 else reversed(range(len(both)))
        for which in order:
            state = both[which].requests[index]
            pipeline = both[which].loaded.surfaces[state.query.surface]
            start = clock()
            pipeline.slate(state)
            taken[which, index] = (clock() - start) * 1e3
    return taken


def _percentiles(milliseconds: npt.NDArray[np.float64]) -> tuple[float, float]:
    p50, p99 = np.percentile(milliseconds, [50, 99])
    return float(p50), float(p99)
