"""Replay on Ray: whole days to tasks, tallies added up; a thin shell around :mod:`remora.evaluation.replay`."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from remora.evaluation.replay import Replay
from remora.evaluation.tally import Tally


def replay_on_ray(replay: Replay, queries: pa.Table, *, tasks: int) -> Tally:
    """As ``replay.run(queries)``, split over at most ``tasks`` tasks; ``replay`` is shipped once and must pickle.

    A day is never split, so that its pipelines are made once.
    """
    shared = ray.put(replay)
    parts = [_run.remote(shared, part) for part in by_days(queries, tasks)]
    return reduce(add, ray.get(parts)) if parts else replay.run(queries)


def by_days(queries: pa.Table, most: int) -> list[pa.Table]:
    """At most ``most`` runs of whole days in order of time, of about as many queries each."""
    if not len(queries):
        return []
    ordered = queries.sort_by("instant")
    day = pc.cast(pc.floor_temporal(ordered["instant"], unit="day"), pa.int64()).to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], day[1:] != day[:-1]]))
    share = starts * most // len(ordered)
    cuts = [*starts[np.concatenate([[True], share[1:] != share[:-1]])].tolist(), len(ordered)]
    return [ordered.slice(a, b - a) for a, b in pairwise(cuts)]


@ray.remote
def _run(replay: Replay, queries: pa.Table) -> Tally:
    return replay.run(queries)
