"""What is true of a world and can only be estimated of the real one: chances, values of slates, regret.

All of it holds for the state that the world is in: of users (b,) at times (b,), in days.
"""

from __future__ import annotations

import numpy as np

from remora.simulation.behaviour import Floats, Indices
from remora.simulation.world import World


def click_probabilities(world: World, users: Indices, slates: Indices, now: Floats) -> Floats:
    """The chance (b, n) of a click on each place of slates (b, n)."""
    return world.click_model.probabilities(world.attraction(users, slates, now))


def rewards(world: World, users: Indices, items: Indices) -> Floats:
    """What a click on items (b, n) is worth in expectation: 1, and the conversion's reward where it converts."""
    return 1 + world.settings.conversion_reward * world.conversion(users, items)


def slate_values(world: World, users: Indices, slates: Indices, now: Floats) -> Floats:
    """The expected reward (b,) of slates (b, n) whose items are distinct."""
    return (click_probabilities(world, users, slates, now) * rewards(world, users, slates)).sum(axis=1)


def best_slates(world: World, users: Indices, n: int, now: Floats) -> Indices:
    """The slates (b, n) of the highest value of all that the catalogue has; ValueError for n over its size."""
    if n > world.settings.items:
        raise ValueError(f"a slate of {n:,} items from {world.settings.items:,}")
    every = np.broadcast_to(np.arange(world.settings.items), (len(users), world.settings.items))
    return world.click_model.best(world.attraction(users, every, now), rewards(world, users, every), n)


def regret(world: World, users: Indices, slates: Indices, now: Floats) -> Floats:
    """How much less (b,) slates (b, n) are worth than the best ones of their size."""
    best = slate_values(world, users, best_slates(world, users, slates.shape[1], now), now)
    return np.maximum(best - slate_values(world, users, slates, now), 0.0)
