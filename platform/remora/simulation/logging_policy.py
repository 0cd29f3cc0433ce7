"""The policy that a world's history was made by: it draws slates, so the chance of each place is known."""

from __future__ import annotations

import numpy as np

from remora.simulation.behaviour import Floats, Indices
from remora.simulation.world import UNKNOWN, World

BLOCK = 512
"""Users whose weights are made at once: more do not fit the caches of a processor."""


class LoggingPolicy:
    """Plackett–Luce over the whole catalogue: popular items, a little of taste, and every available item at times."""

    def __init__(self, world: World) -> None:
        self._world = world
        it = world.settings
        self._popular = np.exp(it.popularity * world.quality.astype(np.float32))
        self._draw = np.random.default_rng([it.seed, 3])

    def slates(self, users: Indices, now: Floats) -> tuple[Indices, Floats]:
        """Slates (b, n) for users (b,) at times (b,), and the chance (b, n) of each item given those above it.

        Items fall in the order of exponential variables over their weights (Efraimidis and Spirakis, 2006). Where the
        catalogue has too few, UNKNOWN fills the slate.
        """
        blocks = [self._block(users[row : row + BLOCK], now[row : row + BLOCK]) for row in range(0, len(users), BLOCK)]
        slates, chances = zip(*blocks, strict=True)
        return np.concatenate(slates), np.concatenate(chances)

    def _block(self, users: Indices, now: Floats) -> tuple[Indices, Floats]:
        world, it = self._world, self._world.settings
        weights = np.exp(np.float32(it.personal) * (world.tastes[users] @ world.vectors.T))
        weights *= np.where(world.clicked[users], np.float32(it.shows_again), np.float32(1))
        there = (world.arrives <= now.max()) & (world.expires > now.min())  # at some time of these
        weights *= self._popular * there
        changes = there & ((world.arrives > now.min()) | (world.expires <= now.max()))
        weights[:, changes] *= world.available(np.tile(np.flatnonzero(changes), (len(users), 1)), now)
        with np.errstate(divide="ignore", invalid="ignore"):
            keys = self._draw.standard_exponential(weights.shape, np.float32) / weights
        n = min(it.slate_size, it.items)
        first = np.argpartition(keys, n - 1, axis=1)[:, :n]
        slates = np.take_along_axis(first, np.argsort(np.take_along_axis(keys, first, 1), axis=1), 1)
        chosen = np.take_along_axis(weights, slates, 1).astype(np.float64)
        before = np.cumsum(chosen, axis=1) - chosen
        left = np.maximum(weights.sum(axis=1, dtype=np.float64)[:, None] - before, chosen)
        with np.errstate(invalid="ignore"):
            chances = np.where(chosen > 0, chosen / left, 0.0)
        return np.where(chosen > 0, slates, UNKNOWN), chances
