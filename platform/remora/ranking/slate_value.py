"""One number of an item's predictions: what a slate is ordered by."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from remora.core.errors import DataError


def value_of(columns: Mapping[str, npt.NDArray[np.float64]], weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """What a slate is ordered by: the sum of weight x column, shape (n,). DataError for an objective without a column.

    >>> value_of({"like": np.array([0.1, 0.5])}, {"like": 2.0}).tolist()
    [0.2, 1.0]
    """
    if missing := [name for name, weight in weights.items() if weight and name not in columns]:
        raise DataError(
            f"The ranker predicts {', '.join(columns)}, and ranking.objectives weighs {', '.join(missing)}. Train the "
            f"ranker again: remora train ranking."
        )
    first = next(iter(columns.values()))
    return sum((weights.get(name, 0.0) * column for name, column in columns.items()), np.zeros_like(first))
