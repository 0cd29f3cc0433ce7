"""One slate held against what the user turned out to want. Every metric is a function of this."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Shown = Sequence[Hashable] | npt.NDArray[Any]
Relevant = Mapping[Any, float] | Collection[Any]


@dataclass(frozen=True, eq=False)
class Judgement:
    """n items shown, best first, in groups of equal score whose inner order is chance.

    ``gains`` (n,) is 0 for an item that is not relevant. ``starts`` (g,) is where each tie group begins; without ties
    it is 0, 1, …, n - 1. ``relevant`` and ``relevant_gains`` (R,) are all relevant items, shown or not.
    """

    shown: npt.NDArray[Any]
    gains: npt.NDArray[np.float64]
    starts: npt.NDArray[np.intp]
    relevant: npt.NDArray[Any]
    relevant_gains: npt.NDArray[np.float64]

    @cached_property
    def ideal_gains(self) -> npt.NDArray[np.float64]:
        """The gains of all relevant items, largest first: (R,)."""
        return -np.sort(-self.relevant_gains)

    @cached_property
    def sizes(self) -> npt.NDArray[np.intp]:
        """Items in each tie group: (g,)."""
        return np.diff(self.starts, append=len(self.shown))

    @cached_property
    def hits(self) -> npt.NDArray[np.intp]:
        """Relevant items in each tie group: (g,)."""
        return np.add.reduceat(self.gains > 0, self.starts, dtype=np.intp) if len(self.shown) else self.starts

    @cached_property
    def expected_gains(self) -> npt.NDArray[np.float64]:
        """The mean gain at each position over all orders of the ties: (n,)."""
        return self._spread(self.gains)

    @cached_property
    def expected_hits(self) -> npt.NDArray[np.float64]:
        """The probability that the item at each position is relevant: (n,)."""
        return self._spread((self.gains > 0).astype(np.float64))

    def _spread(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if len(self.starts) == len(values):
            return values
        return np.repeat(np.add.reduceat(values, self.starts) / self.sizes, self.sizes)


def judge(shown: Shown, relevant: Relevant, scores: Sequence[float] | npt.NDArray[Any] | None = None) -> Judgement:
    """Hold ``shown`` (ids or rows, best first, no repeats) against ``relevant`` (a set, or item -> gain > 0).

    With ``scores`` (n,) the order is theirs, best first, NaN last, and equal scores are ties. Without, the order is as
    given and there are no ties: a slate is shown in one order. ValueError for repeats or lengths that differ.

    >>> judge([7, 3, 9], {3: 2.0, 5: 1.0}, scores=[0.1, 0.1, 0.9]).expected_gains
    array([0., 1., 1.])
    """
    items = np.asarray(shown) if len(shown) else np.empty(0, np.int64)
    listed = items.tolist()
    if len(set(listed)) != len(listed):
        raise ValueError(f"an item is shown twice: {listed}")
    relevant = (
        {i: g for i, g in relevant.items() if g > 0} if isinstance(relevant, Mapping) else dict.fromkeys(relevant, 1.0)
    )
    gains = np.fromiter((relevant.get(i, 0.0) for i in listed), np.float64, len(listed))
    starts = np.arange(len(listed))
    if scores is not None:
        keys = np.asarray(scores, np.float64)
        if len(keys) != len(listed):
            raise ValueError(f"{len(listed)} items are shown with {len(keys)} scores")
        keys = np.where(np.isnan(keys), np.inf, -keys)
        order = np.argsort(keys, kind="stable")
        items, gains, keys = items[order], gains[order], keys[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)])
    return Judgement(
        shown=items,
        gains=gains,
        starts=starts,
        relevant=np.array(list(relevant)),
        relevant_gains=np.fromiter(relevant.values(), np.float64, len(relevant)),
    )
