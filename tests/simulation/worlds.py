"""Small worlds of the tests, and slates in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from remora.simulation.logging_policy import LoggingPolicy
from remora.simulation.simulated_events import SimulatedEvents
from remora.simulation.visits import Interactions, visits
from remora.simulation.world import World
from remora.simulation.world_settings import WorldSettings

NOON = 0.5


def small(**changes: Any) -> World:
    """Forty users and thirty items; no bots, none late, none twice."""
    quiet = {"bot_fraction": 0.0, "duplicate_fraction": 0.0, "late_fraction": 0.0}
    sizes = {"users": 40, "items": 30, "slate_size": 5, "visits_per_day": 0.5}
    return World(WorldSettings(**(sizes | quiet | changes)))


def moments(world: World, users: int, now: float = NOON) -> tuple[np.ndarray, np.ndarray]:
    """The first users, all at one time."""
    return np.arange(users), np.full(users, now)


def random_slates(world: World, users: int, n: int, seed: int) -> np.ndarray:
    """Slates (users, n) of distinct items."""
    draw = np.random.default_rng(seed)
    return np.stack([draw.permutation(world.settings.items)[:n] for _ in range(users)])


def history(world: World, days: int) -> list[Interactions]:
    """What happens by the logging policy."""
    return list(visits(world, LoggingPolicy(world), days))


def events_of_days(world: World, days: int, **types: Any) -> Any:
    """All events, day after day, in one frame."""
    import polars as pl

    events = SimulatedEvents(world, **types)
    parts, begun = [], 0
    for day in history(world, days):
        names = [f"r{begun + n}" for n in range(len(day.users))]
        begun += len(names)
        parts.append(events.rows(day, names, [f"s{visit}" for visit in day.visits]))
    return pl.concat(parts)
