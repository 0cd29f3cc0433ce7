"""What a world is made of, as its file has it, and the two worlds that are measured against real data."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from remora.core.section import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
MAX_PAIRS = 400_000_000
"""Users times items: a byte each says who has clicked what."""


class PlantedFault(Section):
    """What is wrong with a share of the events from a day on, for whoever shall find it.

    ``column``: their ``value`` is lost. ``time``: they are an hour ahead, as of a clock in another zone. ``duplicate``:
    they are sent again under ids of their own, so that no id tells.
    """

    kind: Literal["column", "time", "duplicate"]
    from_day: float = Field(0.0, ge=0, le=36_500, description="days since the world's start")
    fraction: Fraction = 1.0


class WorldSettings(Section):
    """Everything that a world is drawn from; equal settings make equal worlds."""

    seed: int = Field(1, ge=0, le=2**31)
    start: date = date(2026, 1, 5)
    users: int = Field(1_000, ge=1, le=10_000_000)
    items: int = Field(1_000, ge=1, le=10_000_000)
    slate_size: int = Field(10, ge=1, le=100)

    topics: int = Field(12, ge=1, le=1_000)
    dimension: int = Field(8, ge=2, le=256, description="of tastes and items")
    topic_spread: float = Field(0.5, ge=0, le=10, description="how far items lie from the centre of their topic")
    appeal: float = Field(-2.0, ge=-20, le=20, description="log-odds of a click on an examined item of no taste")
    taste_weight: float = Field(2.0, ge=0, le=20, description="log-odds between no taste for an item and the fullest")
    quality_weight: float = Field(0.5, ge=0, le=20, description="log-odds of a standard deviation of quality")
    drift_per_day: float = Field(0.02, ge=0, le=10, description="standard deviation of a taste's daily step")
    arrivals_per_day: float = Field(0.0, ge=0, le=1e6, description="items, of the last ones by number")
    perishable_fraction: Fraction = 0.0
    shelf_life_days: Positive = 7.0

    click_model: Literal["pbm", "cascade"] = "pbm"
    position_decay: float = Field(0.7, ge=0, le=10, description="PBM: position k is examined with probability k^-decay")
    persistence: Fraction = Field(1.0, description="cascade: the chance to look on after an item without a click")
    after_click: Fraction = Field(0.0, description="cascade: the same after a click")
    satiation: float = Field(0.2, ge=0, le=20, description="log-odds that a click takes from its topic")
    satiation_hours: Positive = Field(2.0, description="half-life of satiation")
    repeat: float = Field(-50.0, ge=-50, le=20, description="log-odds of an item that the user has clicked before")

    conversion_type: str = "purchase"
    conversion_bias: float = Field(-1.5, ge=-50, le=20, description="log-odds that a click converts")
    conversion_hours: Positive = Field(6.0, description="mean delay of a conversion")
    conversion_reward: float = Field(2.0, ge=0, le=1e6, description="beside the 1 of its click")

    visits_per_day: Positive = 0.1
    activity_spread: float = Field(1.0, ge=0, le=5, description="standard deviation of a user's log rate of visits")
    day_amplitude: Fraction = Field(0.8, description="0: all hours are alike")
    weekend: float = Field(0.8, ge=0, le=10, description="visits on Saturday and Sunday, of those of other days")
    interactions: tuple[Positive, ...] = Field(
        (1.0, 2.0, 4.0, 8.0, 16.0), min_length=2, description="quantiles, evenly spaced, of the clicks a visit is for"
    )
    abandon: Fraction = Field(0.02, description="chance to leave after a slate without a click, at no trust")
    leave: Fraction = Field(0.02, description="chance that who abandons never returns, at no trust")
    trust_rate: Fraction = Field(0.1, description="how much of trust the last slate is")

    popularity: float = Field(1.2, ge=0, le=20, description="of the logging policy: weight of an item's quality")
    personal: float = Field(1.0, ge=0, le=20, description="of the logging policy: weight of taste")
    shows_again: float = Field(0.0, ge=0, le=1e6, description="of the logging policy: odds of a clicked item")

    bot_fraction: Fraction = 0.01
    bot_clicks: Fraction = Field(0.5, description="chance that a bot clicks an item, whatever it is")
    duplicate_fraction: Fraction = Field(0.01, description="of events are delivered again, under the same id")
    late_fraction: Fraction = 0.02
    late_hours: Positive = Field(3.0, description="mean lateness of these")
    faults: tuple[PlantedFault, ...] = ()

    @model_validator(mode="after")
    def _fits_in_memory(self) -> Self:
        if self.users * self.items > MAX_PAIRS:
            raise ValueError(f"{self.users:,} users times {self.items:,} items are over {MAX_PAIRS:,}: take fewer")
        if list(self.interactions) != sorted(self.interactions):
            raise ValueError("interactions are quantiles, so they do not fall")
        return self
