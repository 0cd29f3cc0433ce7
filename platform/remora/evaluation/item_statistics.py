"""What metrics need to know of the items: how popular they were in training, and their categories."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from remora.core.errors import MissingInput


def _no_column(name: str) -> npt.NDArray[Any]:
    raise MissingInput("column of the items", name)


@dataclass(frozen=True, kw_only=True, eq=False)
class ItemStatistics:
    """n items: ``popularity`` (n,), not negative, counted before the evaluated window; ``categories`` (n, m) int32.

    Categories are numbers padded with -1. Items that no user touched have popularity 0. ``column`` gives an item
    column (n,) by its full name, as ``item_profile__price``; MissingInput for any other name.
    """

    popularity: npt.NDArray[np.floating]
    categories: npt.NDArray[np.int32]
    column: Callable[[str], npt.NDArray[Any]] = _no_column

    def __len__(self) -> int:
        return len(self.popularity)

    @cached_property
    def information(self) -> npt.NDArray[np.float64]:
        """-log2 p(item) in bits, p the item's share of all popularity with one added to each item: (n,)."""
        smoothed = self.popularity.astype(np.float64) + 1.0
        return -np.log2(smoothed / smoothed.sum())

    @cached_property
    def percentile(self) -> npt.NDArray[np.float64]:
        """Share of the catalogue that is less popular, equals counting half: (n,) in (0, 1), mean 0.5."""
        return (rankdata(self.popularity) - 0.5) / len(self)
