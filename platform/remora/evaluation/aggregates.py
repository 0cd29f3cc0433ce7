"""What a metric gives for one query, and what many of them add up to. Any number of workers can add."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Mean:
    """A sum of ``total`` over ``count`` queries; a query that a metric says nothing of has count 0.

    >>> Mean(0.5, 1) + Mean(1.0, 1)
    Mean(total=1.5, count=2)
    >>> (Mean(0.5, 1) + Mean(1.0, 1)).value
    0.75
    """

    total: float = 0.0
    count: int = 0

    def __add__(self, other: Mean) -> Mean:
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> float:
        """The mean; NaN when nothing was counted."""
        return self.total / self.count if self.count else float("nan")


@dataclass(frozen=True, eq=False, slots=True)
class CoveredItems:
    """The distinct item rows that were shown, of a catalogue of ``items``; adding is union.

    >>> (CoveredItems(np.array([1, 2]), 4) + CoveredItems(np.array([2, 3]), 4)).value
    0.75
    """

    rows: npt.NDArray[np.integer]
    items: int

    def __add__(self, other: CoveredItems) -> CoveredItems:
        return CoveredItems(np.union1d(self.rows, other.rows), max(self.items, other.items))

    @property
    def value(self) -> float:
        """The share of the catalogue that was shown to anyone."""
        return len(self.rows) / self.items if self.items else float("nan")
