"""What retrieval knows of items that nobody has touched."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from remora.evaluation.bootstrap import Bootstrap

CUTOFF = 100


class ColdStart(BaseModel):
    """Recall@100 of items that were hidden from training, all items ranked; ``low`` and ``high`` are its 95% interval.

    ``random`` is what an even draw of a hundred items finds. ``popularity`` counts events: an item without one comes
    after all others, in random order.
    """

    model_config = ConfigDict(frozen=True)

    hidden: int
    items: int
    examples: int
    users: int
    recall: float
    low: float
    high: float
    random: float
    popularity: float


def cold_start(
    places: npt.NDArray[np.int64],
    had: npt.NDArray[np.int64],
    users: npt.NDArray[np.str_],
    counts: npt.NDArray[np.int64],
    *,
    hidden: int,
    samples: int,
    seed: int,
) -> ColdStart:
    """From each example's ``places`` (n,) of its hidden target, from 0, among the items that its user had not ``had``.

    ``had`` (n,) counts those; ``users`` (n,) names who asked; ``counts`` (items,) are the events that were trained on.
    """
    items = len(counts)
    hits = (places < CUTOFF).astype(np.float64)
    names, at = np.unique(users, return_inverse=True)
    totals = np.bincount(at, hits, minlength=len(names)).astype(np.float64)[:, None]
    asked = np.bincount(at, minlength=len(names)).astype(np.float64)[:, None]
    found = Bootstrap.over_users(totals, asked, samples=samples, seed=seed).interval(0)
    left = np.maximum(items - had, 1)
    touched, untouched = int((counts > 0).sum()), int((counts == 0).sum())
    room = np.clip(CUTOFF - np.maximum(touched - had, 0), 0, untouched)  # places that the touched items leave
    return ColdStart(
        hidden=hidden,
        items=items,
        examples=len(places),
        users=len(names),
        recall=found.mean,
        low=found.low,
        high=found.high,
        random=float(np.minimum(CUTOFF / left, 1.0).mean()),
        popularity=float((room / max(1, untouched)).mean()),
    )
