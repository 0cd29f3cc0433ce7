"""Visits in process: slates to those who come, until each has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from remora.simulation.behaviour import Floats, Indices, Mask
from remora.simulation.world import World

DWELL_SECONDS = 30.0
"""Mean time between two slates of a visit."""


class SlatePolicy(Protocol):
    """Whatever recommends: slates (b, n) for users (b,) at times (b,), and the chance (b, n) of each place."""

    def slates(self, users: Indices, now: Floats) -> tuple[Indices, Floats]:
        """Draw them."""


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """Requests (r,) of a day with their slates (r, n), and what users did; ``at`` is in days."""

    users: Indices
    visits: Indices
    at: Floats
    slates: Indices
    propensities: Floats
    clicked: Mask
    converts: Mask


def visits(world: World, policy: SlatePolicy, days: int) -> Iterator[Interactions]:
    """All that happens in ``days`` from the world's start, a day at a time, days without a visitor left out.

    The visits of a day are independent of each other, so they are made all at once: round after round, a slate for
    each user who is still there.
    """
    draw = np.random.default_rng([world.settings.seed, 4])
    numbered = 0
    for day in range(days):
        world.advance(day)
        users, at = world.visitors(day)
        if len(users):
            yield _until_all_left(world, policy, users, numbered + np.arange(len(users)), at, draw)
            numbered += len(users)


def _until_all_left(
    world: World, policy: SlatePolicy, users: Indices, numbers: Indices, at: Floats, draw: np.random.Generator
) -> Interactions:
    world.begin(users)
    rounds = []
    while len(users):
        slates, propensities = policy.slates(users, at)
        response = world.respond(users, slates, at)
        rounds.append((users, numbers, at, slates, propensities, response.clicked, response.converts))
        stays = ~response.left
        users, numbers = users[stays], numbers[stays]
        at = at[stays] + draw.exponential(DWELL_SECONDS / 86_400, len(users))
    users, numbers, at, slates, propensities, clicked, converts = map(np.concatenate, zip(*rounds, strict=True))
    return Interactions(
        users=users,
        visits=numbers,
        at=at,
        slates=slates,
        propensities=propensities,
        clicked=clicked,
        converts=converts,
    )
