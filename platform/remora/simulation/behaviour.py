"""How users go through a slate: the position-based model and the cascade, with their exact truths.

Both are of Craswell et al., "An experimental comparison of click position-bias models", WSDM 2008. Attractions are
probabilities (b, n): that a user who examines the item at a place clicks it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]


class ClickModel(Protocol):
    """What a user examines, hence clicks."""

    def probabilities(self, attraction: Floats) -> Floats:
        """The chance (b, n) of a click at each place."""

    def clicks(self, attraction: Floats, draw: np.random.Generator) -> Mask:
        """Clicks (b, n) of one look at each slate."""

    def best(self, attraction: Floats, reward: Floats, n: int) -> Indices:
        """Of m items (b, m) those n, in order, whose expected reward is highest: indices (b, n)."""


@dataclass(frozen=True)
class PositionBased:
    """PBM: place k is examined with probability k^-``decay``, whatever else the slate has."""

    decay: float

    def examination(self, n: int) -> Floats:
        """The chance (n,) that each place is examined."""
        return np.arange(1, n + 1) ** -self.decay

    def probabilities(self, attraction: Floats) -> Floats:
        """Examination times attraction."""
        return attraction * self.examination(attraction.shape[1])

    def clicks(self, attraction: Floats, draw: np.random.Generator) -> Mask:
        """Each place by itself."""
        return draw.random(attraction.shape) < self.probabilities(attraction)

    def best(self, attraction: Floats, reward: Floats, n: int) -> Indices:
        """In the order of what a click is worth: examination falls, so the rearrangement inequality holds."""
        worth = -attraction * reward
        first = np.argpartition(worth, n - 1, axis=1)[:, :n] if n < worth.shape[1] else _all(worth)
        order = np.argsort(np.take_along_axis(worth, first, 1), axis=1, kind="stable")
        return np.take_along_axis(first, order, 1)


@dataclass(frozen=True)
class Cascade:
    """From the first place on; the next is examined with ``after_click`` or, without a click, with ``persistence``.

    1 and 0 are the cascade of the paper; others the dependent click model (Guo et al., WSDM 2009).
    """

    persistence: float
    after_click: float

    def _goes_further(self, attraction: Floats) -> Floats:
        return attraction * self.after_click + (1 - attraction) * self.persistence

    def probabilities(self, attraction: Floats) -> Floats:
        """Attraction times the chance that the user comes so far."""
        further = self._goes_further(attraction[:, :-1])
        reach = np.concatenate([np.ones_like(attraction[:, :1]), np.cumprod(further, axis=1)], axis=1)
        return attraction * reach

    def clicks(self, attraction: Floats, draw: np.random.Generator) -> Mask:
        """Place after place, for all users at once."""
        attracted = draw.random(attraction.shape) < attraction
        goes = draw.random(attraction.shape) < np.where(attracted, self.after_click, self.persistence)
        looks = np.concatenate([np.ones_like(goes[:, :1]), np.logical_and.accumulate(goes[:, :-1], axis=1)], axis=1)
        return attracted & looks

    def best(self, attraction: Floats, reward: Floats, n: int) -> Indices:
        """Exact: with g the chance to go further, slates fall in worth / (1 - g), and a dynamic program over the items
        in this order says which to take (Kempe and Mahdian, "A cascade model for externalities in sponsored search",
        WINE 2008). O(m n) steps for all users at once."""
        worth, further = attraction * reward, self._goes_further(attraction)
        order = np.argsort(-worth / np.maximum(1 - further, 1e-12), axis=1, kind="stable")
        worth, further = np.take_along_axis(worth, order, 1), np.take_along_axis(further, order, 1)
        users, m = worth.shape
        value = np.full((users, n + 1), -np.inf)  # [:, k]: of the best k of the items after this one
        value[:, 0] = 0.0
        takes = np.zeros((m, users, n + 1), np.bool_)
        for j in reversed(range(m)):
            possible = value[:, :-1] > -np.inf
            taken = worth[:, j, None] + further[:, j, None] * np.where(possible, value[:, :-1], 0)
            taken[~possible] = -np.inf
            takes[j, :, 1:] = taken >= value[:, 1:]
            value[:, 1:] = np.maximum(taken, value[:, 1:])
        chosen, left, rows = np.empty((users, n), np.intp), np.full(users, n), np.arange(users)
        for j in range(m):
            takers = rows[takes[j, rows, left] & (left > 0)]
            chosen[takers, n - left[takers]] = order[takers, j]
            left[takers] -= 1
        return chosen


def _all(values: Floats) -> Indices:
    return np.broadcast_to(np.arange(values.shape[1]), values.shape)
