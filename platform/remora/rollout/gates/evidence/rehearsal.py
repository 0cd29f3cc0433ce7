"""The first requests of a bundle: one of each surface, of a user of whom nothing is known but what is popular."""

from __future__ import annotations

import numpy as np

from remora.contracts.vocabulary import NO_ROWS
from remora.pipeline import Query
from remora.surfaces.parts import Parts
from remora.surfaces.table import SURFACES

N, WANTED = 10, 20


def rehearse(parts: Parts) -> None:
    """Answer them; what the bundle cannot do at all is raised."""
    popular = np.argsort(-parts.snapshot.popularity, kind="stable")[: WANTED + 1].astype(np.int32)
    for name, surface in SURFACES.items():
        pipeline = surface(parts)
        for history in (NO_ROWS, popular[1:]):
            pipeline.run(
                Query(
                    request_id="rehearsal",
                    surface=name,
                    n=N,
                    instant=parts.snapshot.instant,
                    item=int(popular[0]),
                    known=bool(len(history)),
                    history=history,
                    seen=np.sort(history),
                )
            )
