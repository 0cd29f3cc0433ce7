"""A rate, bounded at all times together: the beta-binomial mixture.

Robbins, Statistical methods related to the law of the iterated logarithm (1970), section on coin tossing; Howard,
Ramdas, McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences (Annals of Statistics 2021),
proposition 7. The mixing density is Jeffreys' Beta(1/2, 1/2), whose cost is half a logarithm of n at any rate
(Krichevsky, Trofimov 1981), which rates near zero like these need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaln, expit

PRIOR = 0.5
FURTHEST = 700.0
"""Log odds of the least and largest rate that differs from 0 and 1."""

HALVINGS = 80

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Bounds:
    """Lower and upper end."""

    low: float
    high: float


@lru_cache(maxsize=4096)  # a rollout is judged every second, and few of its counts have changed since
def rate_bounds(hits: float, n: float, *, alpha: float) -> Bounds:
    """Bounds of a rate of which ``hits`` of ``n`` came true; see :func:`rates_bounds`."""
    low, high = rates_bounds(np.float64(hits), np.float64(n), alpha=alpha)
    return Bounds(float(low), float(high))


def rates_bounds(hits: npt.ArrayLike, n: npt.ArrayLike, *, alpha: float) -> tuple[Reals, Reals]:
    """Lower and upper bounds, each of the shape that ``hits`` and ``n`` have together.

    With probability at least 1 - alpha the rate lies between both bounds at every n at once, whenever one looks.
    ``hits`` may be the sum of numbers in [0, 1] instead of a count; the bounds are then of their mean. ValueError for
    hits that are negative or more than n, and for an alpha outside (0, 1).
    """
    hits, n = np.broadcast_arrays(np.asarray(hits, np.float64), np.asarray(n, np.float64))
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; it lies between 0 and 1")
    if not (np.all(hits >= 0) and np.all(hits <= n) and np.all(np.isfinite(n))):
        raise ValueError("hits must be between 0 and n")
    misses = n - hits
    most_likely = np.clip(_log_odds(hits, misses), -FURTHEST, FURTHEST)
    limit = -np.log(alpha) - betaln(hits + PRIOR, misses + PRIOR) + betaln(PRIOR, PRIOR)
    low = expit(_crossing(hits, misses, limit, inside=most_likely, outside=np.full_like(hits, -FURTHEST)))
    high = expit(_crossing(hits, misses, limit, inside=most_likely, outside=np.full_like(hits, FURTHEST)))
    # Without a hit no rate is too small; the bisection would stop just above 0.
    return np.where(hits == 0, 0.0, low), np.where(misses == 0, 1.0, high)


def _log_odds(hits: Reals, misses: Reals) -> Reals:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(hits + misses > 0, np.log(hits) - np.log(misses), 0.0)


def _crossing(hits: Reals, misses: Reals, limit: Reals, *, inside: Reals, outside: Reals) -> Any:
    """The log odds between a point inside and one outside of the interval where the mixture's likelihood is 1 / alpha
    times that of the rate; it falls toward the most likely rate from both sides."""
    # Bisection in log odds, where rates near 0 and 1 have as much room as those in the middle.
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        is_in = hits * np.logaddexp(0, -middle) + misses * np.logaddexp(0, middle) < limit
        inside, outside = np.where(is_in, middle, inside), np.where(is_in, outside, middle)
    return outside  # on the safe side of the last halving
