"""The ranker's settings: what it predicts, its models, and the rows that they learn from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from remora.core.section import Section
from remora.settings.bounds import Seed
from remora.settings.components import RankingModelChoice
from remora.settings.data import EventTypeSettings
from remora.settings.named_components import NAME, over

Calibration = Literal["platt", "temperature", "isotonic"]

DEFAULT_MODELS: Mapping[str, Any] = {"trees": {}}

BLEND = "blend"
"""What reports call the models together."""


class ObjectiveSettings(Section):
    """One thing that showing an item may lead to, how it is predicted, and what it is worth."""

    events: tuple[str, ...] = Field(min_length=1, description="event types that it is made of")
    label: Literal["occurs", "repeats", "value"] = Field(
        "occurs", description="one of the events follows; it follows at two moments; the sum of the events' values"
    )
    loss: Literal["listwise", "pointwise"] = Field(
        "listwise", description="listwise learns the order within a slate, pointwise each candidate for itself"
    )
    weight: float = Field(1.0, ge=0, le=1e9, description="a slate is ordered by the sum of weight x prediction")
    calibration: Calibration | None = Field(None, description="default platt, and isotonic for values")

    @property
    def calibrated_by(self) -> Calibration:
        """The way that was asked for, or the one that fits the label."""
        return self.calibration or ("isotonic" if self.label == "value" else "platt")

    @model_validator(mode="after")
    def _values_have_no_odds(self) -> ObjectiveSettings:
        if self.label == "value" and self.calibration not in (None, "isotonic"):
            raise ValueError(f"calibration {self.calibration} gives probabilities, and label value has none: isotonic")
        return self


class RankingDefinitions(Section):
    """What a slate is ordered by: the part of the ranking's settings that a bundle may set."""

    objectives: dict[str, ObjectiveSettings] = Field(
        {}, description="default: one for each weight of positive events, so that their sum is the expected weight"
    )
    models: dict[str, RankingModelChoice | None] = Field(
        {},
        validate_default=True,
        max_length=100,
        description="what predicts the objectives; of several the blend is chosen on validation; null: not trained",
    )
    surface: str = Field("home_feed", max_length=64, description="the surface whose candidates the ranker learns from")

    @field_validator("models", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        # Null takes a default away; of another model it says what is so without it.
        named = {name: one for name, one in value.items() if one is not None or name in DEFAULT_MODELS}
        return over(DEFAULT_MODELS, named)

    @field_validator("models")
    @classmethod
    def _named(cls, models: dict[str, RankingModelChoice | None]) -> dict[str, RankingModelChoice | None]:
        for name in models:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a model: use small letters, digits and '_', at most 64")
        if BLEND in models:
            raise ValueError(f"{BLEND} is what all models together are called: choose another name")
        if not any(models.values()):
            raise ValueError("every ranking model is taken away: leave one")
        return models

    @property
    def learned(self) -> dict[str, RankingModelChoice]:
        """The models that were not taken away, by name."""
        return {name: choice for name, choice in self.models.items() if choice is not None}


class RankingSettings(RankingDefinitions):
    """The models that order candidates, and their training rows."""

    candidates: Literal["retrieved", "logged"] = Field(
        "retrieved", description="learn from what retrieval would have found, or from what was shown (data.impression)"
    )
    leakage_allowlist: tuple[str, ...] = Field((), description="known at the instant, however well they predict")
    refit: bool = Field(True, description="once all is chosen, learn from the validation window as well")
    negatives_per_query: int = Field(150, ge=1, le=100_000, description="retrieved and not taken, drawn evenly")
    easy_negatives_per_query: int = Field(
        0, ge=0, le=100_000, description="drawn evenly from the rest of the catalogue"
    )
    train_queries: int = Field(
        6_000, ge=1, le=1_000_000_000, description="most queries of the ranking window that models learn from"
    )
    validation_negatives: int = Field(
        200, ge=1, le=100_000, description="most candidates of a validation query that led to nothing"
    )
    validation_queries: int = Field(
        500, ge=1, le=1_000_000_000, description="most queries of the validation window, where all is chosen"
    )
    workers: int = Field(2, ge=1, le=1_000, description="Ray Train workers")
    max_failures: int = Field(2, ge=0, le=1_000, description="times that training continues after a worker died")
    seed: Seed = Field(7, description="of weights, shuffles and draws")


def by_weight(event_types: dict[str, EventTypeSettings]) -> dict[str, ObjectiveSettings]:
    """An objective for each distinct weight w of a positive event: an event of at least that weight follows.

    Each is worth what its weight adds to the one below, so that the sum of weight x probability is the expected largest
    weight of an item's events.

    >>> types = {"like": EventTypeSettings(weight=1.0), "watch": EventTypeSettings(weight=0.5)}
    >>> {name: objective.weight for name, objective in by_weight(types).items()}
    {'like_or_watch': 0.5, 'like': 0.5}
    """
    positive = {name: t.weight for name, t in event_types.items() if t.sign > 0 and t.weight > 0}
    found, below = {}, 0.0
    for weight in sorted(set(positive.values())):
        names = tuple(sorted(name for name in positive if positive[name] >= weight))
        name = "_or_".join(re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") for name in names)
        found[name] = ObjectiveSettings(events=names, weight=weight - below)
        below = weight
    return found
