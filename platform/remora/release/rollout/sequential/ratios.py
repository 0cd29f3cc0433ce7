"""The difference of two ratios of means, bounded at all times together, once each side has many users.

An asymptotic confidence sequence by a normal mixture: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, Time-uniform
central limit theory and asymptotic confidence sequences (Annals of Statistics 2024), equation 9, with its tuning of
rho (appendix). The ratio's variance is by the delta method, because users and not exposures are independent: Deng,
Knoblich, Lu, Applying the Delta Method in Metric Analytics (KDD 2018).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from remora.release.rollout.sequential.rates import Bounds

TIGHTEST_AT = 5_000
"""Users of both sides together at which the bounds are as narrow as they can be made."""


@dataclass(frozen=True, kw_only=True)
class UserSums:
    """Sums over users of what each had: rewards, exposures, and their squares and product."""

    users: int = 0
    rewards: float = 0.0
    exposures: float = 0.0
    rewards_squared: float = 0.0
    exposures_squared: float = 0.0
    products: float = 0.0

    def __add__(self, other: UserSums) -> UserSums:
        """Of other users."""
        return UserSums(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def ratio(self) -> float:
        """Rewards per exposure."""
        return self.rewards / self.exposures

    @property
    def variance(self) -> float:
        """Of the ratio, times the number of users; at least two."""
        n, exposures, ratio = self.users, self.exposures / self.users, self.ratio
        rewards = _covariance(self.rewards_squared, self.rewards, self.rewards, n)
        shown = _covariance(self.exposures_squared, self.exposures, self.exposures, n)
        both = _covariance(self.products, self.rewards, self.exposures, n)
        return max(0.0, rewards + ratio**2 * shown - 2 * ratio * both) / exposures**2


def difference_bounds(one: UserSums, other: UserSums, *, alpha: float) -> Bounds:
    """Bounds of the ratio of ``one`` less that of ``other``; each needs two users and an exposure.

    As users come, both bounds hold together at all times with a probability that tends to 1 - alpha as the first look
    is put off. Nothing is known (-inf, inf) where no user differs from another.
    """
    n, rho = one.users + other.users, _rho(alpha)
    variance = n * (one.variance / one.users + other.variance / other.users)
    if variance == 0:
        return Bounds(-math.inf, math.inf)
    scale = n * rho**2 + 1
    width = math.sqrt(variance * 2 * scale * math.log(math.sqrt(scale) / alpha)) / (n * rho)
    difference = one.ratio - other.ratio
    return Bounds(difference - width, difference + width)


def _rho(alpha: float) -> float:
    # Nearly the rho whose bounds are narrowest at TIGHTEST_AT users, in closed form; the exact one needs Lambert's W.
    twice = -2 * math.log(alpha)
    return math.sqrt((twice + math.log(twice + 1)) / TIGHTEST_AT)


def _covariance(products: float, one: float, other: float, n: int) -> float:
    return (products - one * other / n) / (n - 1)
