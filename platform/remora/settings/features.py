"""The settings of features: trailing windows, the transforms that make the views, and where they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from remora.core.credentials import Connection
from remora.core.section import Section
from remora.extensions import UnresolvedConfig
from remora.settings.bounds import Days, Each
from remora.settings.components import TransformChoice
from remora.settings.named_components import NAME, over

ENTITIES = ("user", "item")
"""Whom a view may be about."""

USER_HISTORY = "user_history"

DEFAULT_TRANSFORMS: Mapping[str, Any] = {
    name: {} for name in ("user_activity", "user_affinity", USER_HISTORY, "item_activity")
}

NEEDED = {
    "user_activity": "what depends on a user and an item together is computed from it",
    USER_HISTORY: "requests read the user's history and seen items from it",
    "item_activity": "popularity, trend and age of items are read from it",
}
"""View -> why Remora cannot do without it."""

TAKEN = ("user_profile", "item_profile", "item_catalogue", "user_item", "candidate")
"""What stands before the names of columns that no transform makes."""


class FeatureDefinitions(Section):
    """Trailing windows, bounds and transforms of the features: what a bundle was built with, and may set."""

    windows_days: Each[Days] = Field(
        (1, 7, 30),
        min_length=1,
        max_length=20,
        description="lengths of the trailing windows of activity features, in days",
    )
    history_length: int = Field(
        50, ge=1, le=10_000, description="positive items that the user tower reads, most recent last"
    )
    seen_limit: int = Field(
        5_000, ge=1, le=10_000_000, description="items per user that the already-seen filter remembers"
    )
    transforms: dict[str, TransformChoice | None] = Field(
        {}, validate_default=True, max_length=100, description="what makes each feature view of events; null: no view"
    )

    @field_validator("transforms", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any) -> Any:
        return over(DEFAULT_TRANSFORMS, value) if isinstance(value, Mapping) else value

    @field_validator("transforms")
    @classmethod
    def _fit(cls, transforms: dict[str, TransformChoice | None]) -> dict[str, TransformChoice | None]:
        for view, choice in transforms.items():
            _check_name(view)
            if choice is None:
                if view in NEEDED:
                    raise ValueError(f"{view} cannot be taken away: {NEEDED[view]}")
            elif view == USER_HISTORY and choice.type != USER_HISTORY:
                raise ValueError(
                    f"{view} cannot be made by {choice.type}: replay makes the same history of the events itself. "
                    f"Give the other transform a view of its own"
                )
            elif not isinstance(choice.config, UnresolvedConfig):
                entity = getattr(choice.component.cls, "entity", None)
                if entity not in ENTITIES:
                    raise ValueError(f"{view}: {choice.type}.entity is {entity!r}; it is one of {', '.join(ENTITIES)}")
        return transforms

    @property
    def views(self) -> dict[str, TransformChoice]:
        """The transforms that were not taken away, by the view that each makes."""
        return {view: choice for view, choice in self.transforms.items() if choice is not None}


class FeatureSettings(FeatureDefinitions):
    """How features are defined, built and stored; where they are stored is the operator's alone."""

    partitions: int = Field(8, ge=1, le=10_000, description="hash partitions of one pass over events")
    redis: Connection = Field(
        "", description="Feast's online store, as host:port[,password=...]; default SQLite in the home"
    )
    registry: Connection = Field("", description="SQLAlchemy URL of Feast's registry; default SQLite in the home")


def _check_name(view: str) -> None:
    if not NAME.fullmatch(view) or "__" in view:
        raise ValueError(
            f"{view!r} is no name of a view: use small letters, digits and single '_', at most 64, for '__' separates "
            f"the view from the feature"
        )
    if view in TAKEN:
        raise ValueError(f"{view} is what Remora calls columns of its own: choose another name")
