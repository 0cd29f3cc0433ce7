"""The protocols' metrics, and their intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from remora.retrieval.histories import Histories
from remora.training.sequence_tower import ranks

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


def of_pairs(scores: Scores, had: sp.csr_array, wanted: sp.csr_array) -> PerUser:
    """recall@k and ndcg@k (binary, ideal over min(k, wanted)) and hr@k of each user (n,), what was had excluded.

    ``scores`` (n, items) is overwritten where an item was had. Users who wanted nothing must not be asked.
    """
    scores[had.nonzero()] = -np.inf
    k = max(CUTOFFS)
    deep = min(k, scores.shape[1])
    top = np.argpartition(-scores, deep - 1, axis=1)[:, :deep]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    hits = wanted.toarray()[np.arange(len(top))[:, None], top] > 0
    count = np.diff(wanted.indptr)
    gain = 1 / np.log2(np.arange(2, deep + 2))
    ideal = np.cumsum(gain)
    found: PerUser = {}
    for cut in CUTOFFS:
        inside = hits[:, :cut]
        found[f"recall@{cut}"] = inside.sum(1) / count
        found[f"ndcg@{cut}"] = (inside * gain[:cut]).sum(1) / ideal[np.minimum(np.minimum(count, cut), deep) - 1]
        found[f"hr@{cut}"] = inside.any(1).astype(float)
    return found


def of_next(scores: Scores, had: Histories, target: Ints) -> PerUser:
    """hr@k, ndcg@k and mrr of each user (n,) with one target; what was had is excluded."""
    place = ranks(scores, had, target)
    found: PerUser = {f"hr@{cut}": (place < cut).astype(float) for cut in CUTOFFS}
    found |= {f"ndcg@{cut}": np.where(place < cut, 1 / np.log2(place + 2), 0.0) for cut in CUTOFFS}
    return found | {"mrr": 1 / (place + 1)}


def gathered(parts: list[PerUser]) -> PerUser:
    """Parts of users as one."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def means(per_user: PerUser) -> dict[str, float]:
    """Over users."""
    return {name: round(float(values.mean()), 5) for name, values in per_user.items()}


def interval(values: npt.NDArray[np.float64], seed: int, samples: int = 1000) -> tuple[float, float]:
    """The bootstrap's 95% interval of a mean over users."""
    draw = np.random.default_rng(seed)
    found = [values[draw.integers(0, len(values), len(values))].mean() for _ in range(samples)]
    low, high = np.quantile(found, (0.025, 0.975))
    return round(float(low), 5), round(float(high), 5)


def judge_pairs(had: sp.csr_array, wanted: sp.csr_array, metric: str) -> Callable[[Scores], float]:
    """Quality of scores (n, items) on validation."""
    return lambda scores: float(of_pairs(scores.copy(), had, wanted)[metric].mean())


def judge_next(had: Histories, target: Ints, metric: str) -> Callable[[Scores], float]:
    """Quality of scores (n, items) on validation."""
    return lambda scores: float(of_next(scores, had, target)[metric].mean())
