"""Where items stand near each other in histories, as vectors: a start for a table that training would find slowly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh

from remora.retrieval.interaction_histories import Histories

Vectors = npt.NDArray[np.float32]

SMOOTHING = 0.75
"""Power of the context's counts; below 1 it keeps rare pairs from looking like the closest."""


def pointwise_mutual_information(histories: Histories, reach: int) -> sp.csr_array:
    """The positive PMI (items, items) of items at most ``reach`` positions apart, nearer ones counting 1/distance.

    Levy and Goldberg, "Neural word embedding as implicit matrix factorization" (NeurIPS 2014), with their smoothed
    context counts, made symmetric by its mean with its transpose.
    """
    items, flat = histories.items, histories.flat
    user = np.repeat(np.arange(len(histories)), histories.lengths)
    near = sp.csr_array((items, items), dtype=np.float64)
    for apart in range(1, reach + 1):
        # Histories stand one after another: a pair across a border is of two users.
        same = user[:-apart] == user[apart:]
        weights = np.full(int(same.sum()), 1.0 / apart)
        near = near + sp.csr_array((weights, (flat[:-apart][same], flat[apart:][same])), shape=(items, items))
    near = sp.coo_array(near + near.T)
    often = np.bincount(near.row, near.data, minlength=items)
    context = often**SMOOTHING / max(1e-12, float((often**SMOOTHING).sum()))
    information = np.log(near.data / (often[near.row] * context[near.col]))
    keep = information > 0
    positive = sp.csr_array((information[keep], (near.row[keep], near.col[keep])), shape=(items, items))
    return sp.csr_array((positive + positive.T) / 2)


def directions(histories: Histories, dimension: int, reach: int = 3) -> Vectors:
    """Vectors (items, d) whose products approximate the PMI; items that met nothing are zeros.

    The leading eigenvectors, each times the root of its eigenvalue; scaled so that the mean squared length of those
    that are not zero is 1. Fewer than ``dimension`` columns carry something when the catalogue is smaller than that.
    """
    information = pointwise_mutual_information(histories, reach)
    found = np.zeros((histories.items, dimension), np.float32)
    count = min(dimension, histories.items - 2)
    if count < 1 or not information.nnz:
        return found
    start = np.ones(histories.items)  # so that the same histories give the same vectors
    values, vectors = eigsh(information, k=count, which="LA", v0=start)
    found[:, :count] = vectors * np.sqrt(np.maximum(values, 0.0))
    length = np.linalg.norm(found, axis=1)
    known = length > 1e-9
    return found / np.sqrt(np.mean(length[known] ** 2)) if known.any() else found
