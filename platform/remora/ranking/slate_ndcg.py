"""NDCG of many slates at once, from columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt


def slate_ndcg(
    scores: npt.NDArray[np.floating], gains: npt.NDArray[np.floating], slate: npt.NDArray[np.int64], k: int = 10
) -> npt.NDArray[np.float64]:
    """NDCG@k with linear gains of each slate, shape (q,); NaN for a slate without a gain.

    All arguments have shape (n,); ``slate`` numbers them from 0, those of one together. Equal scores keep their order.

    >>> slate_ndcg(np.array([0.1, 0.9, 0.3]), np.array([0.0, 0.0, 1.0]), np.zeros(3, np.int64)).round(3).tolist()
    [0.631]
    """
    count = int(slate[-1]) + 1 if len(slate) else 0
    begins = np.searchsorted(slate, np.arange(count))

    def gained(by: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        order = np.lexsort((-by, slate))
        rank = np.arange(len(order)) - begins[slate]  # sorted by slate, so the numbers are the same
        discounts = np.where(rank < k, 1.0 / np.log2(rank + 2.0), 0.0)
        return np.bincount(slate, weights=gains[order] * discounts, minlength=count).astype(np.float64)

    with np.errstate(invalid="ignore"):
        return gained(scores) / gained(gains)


def mean_ndcg(
    scores: npt.NDArray[np.floating], gains: npt.NDArray[np.floating], slate: npt.NDArray[np.int64], k: int = 10
) -> float:
    """NDCG@k of rows (n,) averaged over the slates that have a gain; 0 where no slate has one."""
    found = slate_ndcg(scores, gains, slate, k)
    known = found[~np.isnan(found)]
    return float(known.mean()) if len(known) else 0.0


def ndcg_of_each(
    margins: npt.NDArray[np.floating], labels: Mapping[str, npt.NDArray[np.floating]], slate: npt.NDArray[np.int64]
) -> dict[str, float]:
    """:func:`mean_ndcg` by objective: ``margins`` (n, objectives) in the order of ``labels``."""
    columns = zip(labels.items(), margins.T, strict=True)
    return {name: mean_ndcg(column, label, slate) for (name, label), column in columns}
