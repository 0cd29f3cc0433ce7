"""Worlds whose statistics are those of public data, and the statistics themselves.

Of the data were measured: MovieLens-100K, whose visits are ratings of one user without a pause of half an hour; and
Online Retail without guests, free lines and cancellations, whose visits are its invoices. A click of the world stands
for a rating, or for a line of an invoice. `python -m benchmarks.simulation` measures both sides again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from remora.simulation.world_settings import WorldSettings


@dataclass(frozen=True, kw_only=True)
class FidelityTargets:
    """Gini coefficient of items' clicks; share of clicks on items that the user had clicked before."""

    gini: float
    repeat_share: float


@dataclass(frozen=True, kw_only=True)
class WorldPreset:
    """A world, what it shall look like, and how many days make as many interactions as the data has."""

    world: WorldSettings
    targets: FidelityTargets
    days: int


RATINGS_OF_A_VISIT = (1, 1, 1, 1, 2, 2, 3, 4, 6, 8, 11, 16, 22, 27, 33, 42, 54, 73, 106, 157, 737)
LINES_OF_AN_INVOICE = (1, 1, 2, 4, 5, 6, 8, 10, 11, 13, 15, 17, 19, 21, 24, 28, 32, 38, 48, 65, 542)
"""Quantiles in steps of 5%."""

PRESETS: Mapping[str, WorldPreset] = {
    "movielens": WorldPreset(
        world=WorldSettings(
            users=943,
            items=1_682,
            interactions=RATINGS_OF_A_VISIT,
            conversion_type="like",
            visits_per_day=0.1,
            abandon=0.005,
            popularity=1.4,
        ),
        targets=FidelityTargets(gini=0.629, repeat_share=0.0),
        days=40,
    ),
    "shop": WorldPreset(
        world=WorldSettings(
            users=4_338,
            items=3_665,
            topics=20,
            interactions=LINES_OF_AN_INVOICE,
            visits_per_day=0.07,
            popularity=0.72,
            repeat=0.0,
            shows_again=6.0,
            arrivals_per_day=12.0,
            perishable_fraction=0.05,
        ),
        targets=FidelityTargets(gini=0.638, repeat_share=0.329),
        days=60,
    ),
}
