"""The world: what users like, how much they trust, what they have had; all of it known, all users at once.

Users and items are indices; times are days since the world's start, as floats. Three models of users' feedback are
those of KuaiSim (Zhao et al., NeurIPS 2023): clicks, leaving, and return.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from remora.simulation.behaviour import Cascade, ClickModel, Floats, Indices, Mask, PositionBased
from remora.simulation.world_settings import WorldSettings

PEAK_HOUR = 19.0
UNKNOWN = -1
"""Stands for an item that the world does not have; no user clicks it."""


@dataclass(frozen=True, kw_only=True)
class Response:
    """What users (b,) did with slates (b, n): which places they clicked, which clicks convert, and who left."""

    clicked: Mask
    converts: Mask
    left: Mask


class World:
    """Items, and users with a state; drawn from settings, or over ``item_topics`` (m,) that are given.

    A taste is a unit vector; items lie around the centre of their topic. A user is in at most one visit.
    """

    def __init__(
        self,
        settings: WorldSettings,
        *,
        user_ids: Sequence[str] | None = None,
        item_ids: Sequence[str] | None = None,
        item_topics: Indices | None = None,
    ) -> None:
        self.settings = it = settings
        draw = np.random.default_rng([it.seed, 0])
        self._draw = np.random.default_rng([it.seed, 1])
        self.user_ids = np.array(user_ids if user_ids is not None else [f"u{n:06}" for n in range(it.users)], object)
        self.item_ids = np.array(item_ids if item_ids is not None else [f"i{n:06}" for n in range(it.items)], object)
        users, items = it.users, it.items
        self.topic = draw.integers(0, it.topics, items) if item_topics is None else item_topics
        centres = _units(draw.standard_normal((it.topics, it.dimension)))
        noise = it.topic_spread * draw.standard_normal((items, it.dimension)) / np.sqrt(it.dimension)
        self.vectors = _units(centres[self.topic] + noise)
        self.quality = draw.standard_normal(items).astype(np.float32)
        self.price = np.round(np.exp(draw.normal(2.0, 0.8, items)), 2)
        self.arrives, self.expires = self._shelf(draw)
        self.favourite = draw.integers(0, it.topics, users)
        self.tastes = _units(
            centres[self.favourite] + draw.standard_normal((users, it.dimension)) / np.sqrt(it.dimension)
        )
        self.activity = np.exp(draw.normal(0.0, it.activity_spread, users) - it.activity_spread**2 / 2)
        self.is_bot = draw.random(users) < it.bot_fraction
        self.trust = np.full(users, 0.5)
        self.has_left = np.zeros(users, np.bool_)
        self.clicked = np.zeros((users, items), np.bool_)
        self._appetite = np.zeros(users)
        self._satiation, self._satiated_at = np.zeros((users, it.topics), np.float32), np.zeros(users)
        self._day = 0
        self.click_model: ClickModel = (
            PositionBased(it.position_decay) if it.click_model == "pbm" else Cascade(it.persistence, it.after_click)
        )

    def _shelf(self, draw: np.random.Generator) -> tuple[Floats, Floats]:
        """From when till when each item is there. The last items by number arrive, a fifth of all at most."""
        it = self.settings
        arrives, expires = np.zeros(it.items), np.full(it.items, np.inf)
        if it.arrivals_per_day > 0:
            last = it.items // 5
            arrives[it.items - last :] = np.arange(1, last + 1) / it.arrivals_per_day
        perishable = draw.random(it.items) < it.perishable_fraction
        expires[perishable] = arrives[perishable] + draw.exponential(it.shelf_life_days, int(perishable.sum()))
        return arrives, expires

    def advance(self, now: float) -> None:
        """Let tastes drift until ``now``: a step a day, which depends on seed and day alone."""
        while self._day < int(now):
            self._day += 1
            step = np.random.default_rng([self.settings.seed, 2, self._day]).standard_normal(self.tastes.shape)
            self.tastes = _units(self.tastes + self.settings.drift_per_day * step)

    def available(self, items: Indices, now: Floats) -> Mask:
        """Which items (b, n) there are at the times (b,)."""
        when = now[:, None]
        return (items >= 0) & (self.arrives[items] <= when) & (when < self.expires[items])

    def affinity(self, users: Indices, items: Indices) -> Floats:
        """How well items (b, n) fit the tastes of users (b,): cosines."""
        return np.einsum("bd,bnd->bn", self.tastes[users], self.vectors[items])

    def attraction(self, users: Indices, items: Indices, now: Floats) -> Floats:
        """The chance (b, n) that users (b,) who examine items (b, n) at times (b,) click them."""
        it = self.settings
        odds = it.appeal + it.taste_weight * self.affinity(users, items) + it.quality_weight * self.quality[items]
        fading = 0.5 ** ((now - self._satiated_at[users]) * 24 / it.satiation_hours)
        odds -= self._satiation[users[:, None], self.topic[items]] * fading[:, None]
        odds += it.repeat * self.clicked[users[:, None], items]
        chance = np.where(self.is_bot[users, None], it.bot_clicks, _sigmoid(odds))
        return chance * self.available(items, now)

    def conversion(self, users: Indices, items: Indices) -> Floats:
        """The chance (b, n) that a click converts."""
        it = self.settings
        chance = _sigmoid(it.conversion_bias + it.taste_weight / 2 * self.affinity(users, items))
        return np.where(self.is_bot[users, None], 0.0, chance)

    def visitors(self, day: int, draw: np.random.Generator | None = None) -> tuple[Indices, Floats]:
        """Who comes on a day, and when: by their rate, the rhythm of day and week, and trust. At most once a day.

        By a ``draw`` of the day's own, equal worlds have the same visitors while these trust them alike, whatever was
        drawn for what they were shown before.
        """
        it, draw = self.settings, self._draw if draw is None else draw
        weekday = (it.start.weekday() + day) % 7
        hours = np.arange(24)
        rhythm = 1 + it.day_amplitude * np.cos(2 * np.pi * (hours + 0.5 - PEAK_HOUR) / 24)
        rate = it.visits_per_day * self.activity * (it.weekend if weekday >= 5 else 1.0) * 2 * self.trust
        comes = draw.random(it.users) < -np.expm1(-rate) * ~self.has_left
        users = np.flatnonzero(comes)
        hour = draw.choice(hours, len(users), p=rhythm / rhythm.sum())
        return users, day + (hour + draw.random(len(users))) / 24

    def begin(self, users: Indices) -> None:
        """Begin visits: each is for a number of clicks."""
        quantiles = np.asarray(self.settings.interactions)
        wanted = np.interp(self._draw.random(len(users)), np.linspace(0, 1, len(quantiles)), quantiles)
        self._appetite[users] = np.rint(wanted)

    def respond(self, users: Indices, slates: Indices, now: Floats) -> Response:
        """What users (b,), no one twice, do with slates (b, n) at times (b,); their state moves on with it."""
        it = self.settings
        clicked = self.click_model.clicks(self.attraction(users, slates, now), self._draw)
        converts = clicked & (self._draw.random(clicked.shape) < self.conversion(users, slates))
        row, place = np.nonzero(clicked)
        self._satiation[users] *= 0.5 ** ((now - self._satiated_at[users]) * 24 / it.satiation_hours)[:, None]
        self._satiated_at[users] = now
        np.add.at(self._satiation, (users[row], self.topic[slates[row, place]]), it.satiation)
        self.clicked[users[row], slates[row, place]] = True
        pleased = clicked.any(axis=1)
        self.trust[users] += it.trust_rate * (pleased - self.trust[users])
        doubt = 1 - self.trust[users]
        chance = self._draw.random((2, len(users)))
        empty = ~(slates >= 0).any(axis=1)
        abandons = empty | ~pleased & (chance[0] < it.abandon * doubt)
        self._appetite[users] -= clicked.sum(axis=1)
        self.has_left[users] |= abandons & (chance[1] < it.leave * doubt)
        return Response(clicked=clicked, converts=converts, left=abandons | (self._appetite[users] <= 0))


def _units(vectors: Floats) -> Floats:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _sigmoid(odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(odds, -50, 50, dtype=np.float64)))
