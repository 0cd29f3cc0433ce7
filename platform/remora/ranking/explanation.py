"""What a ranker goes by: partial dependence and permutation importance, for any model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from remora.ranking.batch import Batch

Columns = Mapping[str, npt.NDArray[np.float64]]
GRID = 12


def partial_dependence(
    score: Callable[[Batch], Columns], batch: Batch, feature: int, values: npt.NDArray[np.float32]
) -> dict[str, list[float]]:
    """By objective: the mean over all rows of what is predicted were the feature (a column of ``batch.features``)
    each of ``values`` (v,): v numbers an objective.

    J. Friedman, Greedy function approximation, 2001.
    """
    found: dict[str, list[float]] = {}
    for value in values:
        features = batch.features.copy()
        features[:, feature] = value
        for name, column in score(replace(batch, features=features)).items():
            found.setdefault(name, []).append(float(column.mean()))
    return found


def grid(values: npt.NDArray[np.float32], most: int = GRID) -> npt.NDArray[np.float32]:
    """The distinct finite ``values`` (n,), ascending; evenly spread quantiles of them where there are over ``most``."""
    known = np.unique(values[np.isfinite(values)])
    if len(known) <= most:
        return known
    return np.unique(np.quantile(values[np.isfinite(values)], np.linspace(0.01, 0.99, most)).astype(np.float32))


def permutation_importance(
    quality: Callable[[Batch], npt.NDArray[np.float64]], batch: Batch, seed: int
) -> npt.NDArray[np.float64]:
    """What ``quality`` (an array of one number an objective) loses when a feature's values change places, (F, ...).

    L. Breiman, Random forests, 2001. Values change places among all rows, once.
    """
    draw = np.random.default_rng(seed)
    whole = quality(batch)
    lost = []
    for feature in range(batch.features.shape[1]):
        features = batch.features.copy()
        features[:, feature] = draw.permutation(features[:, feature])
        lost.append(whole - quality(replace(batch, features=features)))
    return np.stack(lost)
