"""How long a model takes for one slate, on one thread."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict

from remora.ranking.batch import Batch

CANDIDATES, TIMES, WARM = 500, 100, 5


class Timing(BaseModel):
    """Milliseconds for a slate of :data:`CANDIDATES`, and rows per second at the median."""

    model_config = ConfigDict(frozen=True)

    candidates: int
    p50_ms: float
    p99_ms: float
    rows_per_second: float


def timed(margins: Callable[[Batch], npt.NDArray[np.float32]], batch: Batch, times: int = TIMES) -> Timing:
    """Score slates of :data:`CANDIDATES` made of the rows of ``batch``, with the longest of its histories.

    ``margins`` gives a batch of n rows (n, objectives). ``times`` runs are measured on one thread, in milliseconds,
    after some that only warm up.
    """
    slate = one_slate(batch, CANDIDATES)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        passed = []
        for _ in range(times + WARM):
            begun = time.perf_counter()
            margins(slate)
            passed.append(time.perf_counter() - begun)
    finally:
        torch.set_num_threads(threads)
    p50, p99 = (1_000 * float(np.percentile(passed[WARM:], q)) for q in (50, 99))
    return Timing(candidates=CANDIDATES, p50_ms=p50, p99_ms=p99, rows_per_second=CANDIDATES / p50 * 1_000)


def one_slate(batch: Batch, candidates: int) -> Batch:
    """Rows of ``batch``, repeated as often as it takes, as one slate."""
    at = np.resize(np.arange(len(batch)), candidates)
    return Batch(
        features=np.ascontiguousarray(batch.features[at]),
        rows=batch.rows[at],
        slate=np.zeros(candidates, np.int64),
        histories=[max(batch.histories, key=len)],
    )
