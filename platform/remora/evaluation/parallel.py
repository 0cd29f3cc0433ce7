"""Replay on Ray: whole days to tasks, sums added up; a thin shell around :mod:`remora.evaluation.replay`."""

from __future__ import annotations

from functools import reduce
from operator import add

import pyarrow as pa
import ray

from remora.datasets.days import by_days
from remora.evaluation.accumulator import ReplaySums
from remora.evaluation.replay import Replay


def replay_on_ray(replay: Replay, queries: pa.Table, *, tasks: int) -> ReplaySums:
    """As ``replay.run(queries)``, split over at most ``tasks`` tasks; ``replay`` is shipped once and must pickle.

    ``queries`` has the columns of :func:`~remora.datasets.queries.queries`. A day is never split, so that its pipelines
    are made once.
    """
    shared = ray.put(replay)
    parts = [_run.remote(shared, part) for part in by_days(queries, tasks)]
    return reduce(add, ray.get(parts)) if parts else replay.run(queries)


@ray.remote
def _run(replay: Replay, queries: pa.Table) -> ReplaySums:
    return replay.run(queries)
