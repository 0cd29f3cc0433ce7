"""Where relevant items stand among the whole catalogue, from a matrix of scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from remora.retrieval.interaction_histories import Histories

Scores = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]


def ranks(scores: Scores, seen: Histories, targets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rank (n,), from 0, of each target among all items that the user has not had; scores (n, items) are kept.

    Items that score as the target count half, so that a model which scores everything alike gains nothing.
    """
    own = scores[np.arange(len(targets)), targets]
    out = np.empty(len(targets), np.int64)
    for n, row in enumerate(scores):
        had = np.unique(seen[n])
        # The target competes even where it is among what the user had: it is what is asked for.
        had = had[had != targets[n]]
        above = int((row > own[n]).sum()) - int((row[had] > own[n]).sum())
        level = int((row == own[n]).sum()) - 1 - int((row[had] == own[n]).sum())
        out[n] = above + (level + 1) // 2
    return out


def ndcg_of_one(ranks: npt.NDArray[np.int64], k: int) -> Floats:
    """NDCG@k (n,) of users with one relevant item each, from the item's rank, counted from 0."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2), 0.0)


def hits(scores: Scores, had: sp.csr_array, relevant: sp.csr_array, k: int) -> npt.NDArray[np.bool_]:
    """Was the item at each of the first k positions (n, at most k) relevant? What was had is left out.

    ``scores`` (n, items) is overwritten where an item was had.
    """
    scores[had.nonzero()] = -np.inf
    k = min(k, scores.shape[1])
    # A partition first: sorting a row of the whole catalogue for its k best would take far longer.
    top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    return np.asarray(relevant.toarray()[np.arange(len(top))[:, None], top] > 0)


def ndcg_of_sets(hit: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int32]) -> Floats:
    """Binary NDCG (n,) at the depth of ``hit`` (n, k); the ideal is over min(k, ``relevant`` (n,)), at least one."""
    k = hit.shape[1]
    gain = 1 / np.log2(np.arange(2, k + 2))
    return np.asarray((hit * gain).sum(1) / np.cumsum(gain)[np.minimum(relevant, k) - 1])
