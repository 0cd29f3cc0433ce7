"""Percentile bootstrap intervals over users, for many metrics and their differences at once.

A user's queries resemble each other, so users are drawn, not queries: all queries of a user come together (cluster
bootstrap; Davison and Hinkley, "Bootstrap Methods and their Application", 1997, section 3.8).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]

CHUNK_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its interval; NaN where nothing was counted."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Is the whole interval on one side of zero?"""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, eq=False)
class Bootstrap:
    """Means of M columns, estimated from all users (M,) and from each of B resamples of the users (B, M).

    All columns see the same resamples, so the difference of two columns is a paired one.
    """

    estimates: Matrix
    resampled: Matrix
    level: float

    @classmethod
    def over_users(cls, totals: Matrix, counts: Matrix, *, samples: int, seed: int, level: float = 0.95) -> Bootstrap:
        """Resample U users; ``totals`` and ``counts`` (U, M) are each user's sums and numbers of counted queries.

        A column's mean is the sum of its totals by the sum of its counts, so every query weighs the same. A resample in
        which a column has no count is left out of that column's interval. The same seed gives the same resamples for
        the same number of users.
        """
        users, columns = totals.shape
        random = np.random.default_rng(seed)
        both = np.hstack([totals, counts])
        # In chunks, as counts of all users in all resamples at once could fill the memory.
        chunk = max(1, CHUNK_BYTES // (8 * max(users, 1)))
        sums = [np.empty((0, 2 * columns))]
        for first in range(0, samples if users else 0, chunk):
            # How often each user is drawn says as much as which are drawn, and makes the sums one matrix product.
            drawn = random.multinomial(users, np.full(users, 1 / users), size=min(chunk, samples - first))
            sums.append(drawn.astype(np.float64) @ both)
        resampled = np.vstack(sums)
        return cls(
            _ratio(totals.sum(axis=0), counts.sum(axis=0)),
            _ratio(resampled[:, :columns], resampled[:, columns:]),
            level,
        )

    def interval(self, column: int) -> Interval:
        """The interval of one column's mean."""
        return self._percentiles(self.estimates[column], self.resampled[:, column])

    def difference(self, column: int, against: int) -> Interval:
        """The interval of one column's mean less another's, over the same resamples."""
        return self._percentiles(
            self.estimates[column] - self.estimates[against], self.resampled[:, column] - self.resampled[:, against]
        )

    def _percentiles(self, estimate: float, resampled: Matrix) -> Interval:
        counted = resampled[~np.isnan(resampled)]
        if not len(counted):
            return Interval(float(estimate), float("nan"), float("nan"))
        tail = (1 - self.level) / 2
        low, high = np.quantile(counted, [tail, 1 - tail])
        return Interval(float(estimate), float(low), float(high))


def _ratio(totals: Matrix, counts: Matrix) -> Matrix:
    return np.divide(totals, counts, out=np.full(totals.shape, np.nan), where=counts > 0)
