"""What retrieval knows of items that no user has touched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from remora.evaluation.bootstrap import Bootstrap

CUTOFF = 100


class ColdStart(BaseModel):
    """Recall@100 of items that were hidden from training; ``low`` and ``high`` are its 95% interval.

    Of the hundred, ``quota`` are the best of the items that no user has touched, as the source of new items has them,
    the others the best of all; ``without_quota`` is that of the best hundred of all. ``random`` is what an even draw of
    a hundred items finds. ``popularity`` counts events: an item without one comes after all others, in random order.
    """

    model_config = ConfigDict(frozen=True)

    hidden: int
    items: int
    examples: int
    users: int
    quota: int
    recall: float
    low: float
    high: float
    without_quota: float
    random: float
    popularity: float


@dataclass(frozen=True, kw_only=True, eq=False)
class HoldoutRanks:
    """Examples (n,) that want a hidden item: where that stands, from 0, ``among_all`` items that its user had not
    had, and ``among_new``, those of them that no user has touched; ``had`` counts what was had; ``users`` names who."""

    among_all: npt.NDArray[np.int64]
    among_new: npt.NDArray[np.int64]
    had: npt.NDArray[np.int64]
    users: npt.NDArray[np.str_]


def cold_start(
    holdout: HoldoutRanks, counts: npt.NDArray[np.int64], *, quota: int, hidden: int, samples: int, seed: int
) -> ColdStart:
    """From where hidden targets stand, and the events (items,) that were trained on."""
    items, quota = len(counts), min(quota, CUTOFF)
    hits = ((holdout.among_all < CUTOFF - quota) | (holdout.among_new < quota)).astype(np.float64)
    names, at = np.unique(holdout.users, return_inverse=True)
    totals = np.bincount(at, hits, minlength=len(names)).astype(np.float64)[:, None]
    queries = np.bincount(at, minlength=len(names)).astype(np.float64)[:, None]
    found = Bootstrap.over_users(totals, queries, samples=samples, seed=seed).interval(0)
    left = np.maximum(items - holdout.had, 1)
    touched, untouched = int((counts > 0).sum()), int((counts == 0).sum())
    room = np.clip(CUTOFF - np.maximum(touched - holdout.had, 0), 0, untouched)  # places that the touched items leave
    return ColdStart(
        hidden=hidden,
        items=items,
        examples=len(hits),
        users=len(names),
        quota=quota,
        recall=found.mean,
        low=found.low,
        high=found.high,
        without_quota=float((holdout.among_all < CUTOFF).mean()),
        random=float(np.minimum(CUTOFF / left, 1.0).mean()),
        popularity=float((room / max(1, untouched)).mean()),
    )
