"""What a source leaves out: items that the user has seen, so that its limit counts items that can be shown."""

from __future__ import annotations

import numpy as np

from remora.pipeline.candidates import Retrieved
from remora.pipeline.query import Query
from remora.pipeline.rows import isin


def drop_seen(query: Query, found: Retrieved, limit: int | None, *, skip_seen: bool = True) -> Retrieved:
    """The best ``limit`` of ``found`` without the query's own item and, if wanted, without what its user has seen."""
    leave = np.append(query.seen if skip_seen else query.seen[:0], [] if query.seed_item is None else [query.seed_item])
    keep = ~isin(found.rows, leave.astype(np.int32))
    return Retrieved(found.rows[keep][:limit], found.scores[keep][:limit], found.score_others)


def overfetch(query: Query, *, skip_seen: bool = True) -> int:
    """How many more than its limit a source must look at, so that :func:`drop_seen` leaves enough."""
    return (len(query.seen) if skip_seen else 0) + (query.seed_item is not None)
