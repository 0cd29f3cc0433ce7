"""The protocols' metrics, and their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from remora.evaluation.bootstrap import Bootstrap
from remora.evaluation.full_ranking import hits, ndcg_of_one, ndcg_of_sets, ranks
from remora.retrieval.interaction_histories import Histories

Ints = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
PerUser = dict[str, npt.NDArray[np.float64]]

CUTOFFS = (5, 10, 20)
BLOCK_SCORES = 6_000_000
"""24 MB of scores at a time: the allocator gives them out again, larger ones are fresh pages at every step."""


def blocks(users: int, items: int) -> Iterator[Ints]:
    """Users in parts whose scores fit in memory many times over."""
    step = max(1, BLOCK_SCORES // max(1, items))
    for begin in range(0, users, step):
        yield np.arange(begin, min(begin + step, users))


def of_pairs(scores: Scores, had: sp.csr_array, relevant: sp.csr_array) -> PerUser:
    """recall@k and ndcg@k (binary, ideal over min(k, relevant)) and hr@k of each user (n,), what was had excluded.

    ``scores`` (n, items) is overwritten where an item was had. Users without a relevant item must not be asked.
    """
    hit, count = hits(scores, had, relevant, max(CUTOFFS)), np.diff(relevant.indptr)
    found: PerUser = {}
    for cut in CUTOFFS:
        inside = hit[:, :cut]
        found[f"recall@{cut}"] = inside.sum(1) / count
        found[f"ndcg@{cut}"] = ndcg_of_sets(inside, count)
        found[f"hr@{cut}"] = inside.any(1).astype(float)
    return found


def of_next(scores: Scores, had: Histories, target: Ints) -> PerUser:
    """hr@k, ndcg@k and mrr of each user (n,) with one target; what was had is excluded."""
    place = ranks(scores, had, target)
    found: PerUser = {f"hr@{cut}": (place < cut).astype(float) for cut in CUTOFFS}
    found |= {f"ndcg@{cut}": ndcg_of_one(place, cut) for cut in CUTOFFS}
    return found | {"mrr": 1 / (place + 1)}


def gathered(parts: list[PerUser]) -> PerUser:
    """Parts of users as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def means(per_user: PerUser) -> dict[str, float]:
    """Over users."""
    return {name: round(float(values.mean()), 5) for name, values in per_user.items()}


def summarised(found: dict[str, PerUser], certain: tuple[str, ...], seed: int) -> dict[str, Any]:
    """Means of all members, the merge's at the top, and its 95% intervals over users for some metrics."""
    return {
        "members": {name: means(per_user) for name, per_user in found.items()},
        "intervals": {name: interval(found["merged"][name], seed) for name in certain},
        **means(found["merged"]),
    }


def interval(values: npt.NDArray[np.float64], seed: int, samples: int = 1000) -> tuple[float, float]:
    """The bootstrap's 95% interval of a mean over users."""
    totals = values[:, None]
    found = Bootstrap.over_users(totals, np.ones_like(totals), samples=samples, seed=seed).interval(0)
    return round(found.low, 5), round(found.high, 5)


def measure_pairs(had: sp.csr_array, relevant: sp.csr_array, metric: str) -> Callable[[Scores], float]:
    """Quality of scores (n, items) on validation."""
    return lambda scores: float(of_pairs(scores.copy(), had, relevant)[metric].mean())


def measure_next(had: Histories, target: Ints, metric: str) -> Callable[[Scores], float]:
    """Quality of scores (n, items) on validation."""
    return lambda scores: float(of_next(scores, had, target)[metric].mean())
