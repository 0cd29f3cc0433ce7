"""Queries by the day they were asked: a day shares one state of the items, so it is never split."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def by_days(queries: pa.Table, most: int) -> list[pa.Table]:
    """At most ``most`` runs of whole days in order of time, of about as many queries each.

    ``queries`` has a column ``instant``; days are of UTC and none is split.
    """
    if not len(queries):
        return []
    ordered = queries.sort_by("instant")
    day = pc.cast(pc.floor_temporal(ordered["instant"], unit="day"), pa.int64()).to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], day[1:] != day[:-1]]))
    share = starts * most // len(ordered)
    cuts = [*starts[np.concatenate([[True], share[1:] != share[:-1]])].tolist(), len(ordered)]
    return [ordered.slice(a, b - a) for a, b in pairwise(cuts)]


def each_day(queries: pa.Table) -> Iterator[tuple[datetime, Iterator[dict[str, Any]]]]:
    """Each day's midnight (UTC) and its queries as rows, in order of instant and query; ``instant`` is in UTC."""
    for day, asked in groupby(_rows(queries), key=lambda query: query["instant"].date()):
        yield datetime.combine(day, datetime.min.time(), UTC), asked


def _rows(queries: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in queries.sort_by([("instant", "ascending"), ("query_id", "ascending")]).to_batches():
        for row in batch.to_pylist():
            yield row | {"instant": row["instant"].astimezone(UTC)}
