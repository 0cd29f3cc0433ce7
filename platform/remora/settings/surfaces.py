"""The surfaces of a product: each a request path of its own, made of components."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import ConfigDict, Field, RootModel, field_validator, model_validator

from remora.core.credentials import WITHOUT_CREDENTIALS
from remora.core.section import Section
from remora.extensions import ComponentChoice
from remora.settings.components import (
    BackfillChoice,
    FilterChoice,
    HydratorChoice,
    PipelineChoice,
    RerankerChoice,
    ScorerChoice,
    SourceChoice,
)
from remora.settings.named_components import NAME, over
from remora.settings.presets import DEFAULT_SURFACES, PRESETS, preset_of

RESERVED = {"merge", "total", "retrieved", "allowed", "shown", "exclude", "backfill", "retrieval_order"}
"""What the runner itself calls by a name, in timings, counts and ``degraded``."""

STAGES = ("hydrators", "sources", "filters", "rerankers")
SINGLE = ("scorer", "backfill")

Choice = TypeVar("Choice", bound=ComponentChoice)
Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Stages = Annotated[dict[str, Choice | None], Field(max_length=100)]


class SurfaceSettings(Section):
    """One surface: its stages in the order in which they are asked.

    A stage has a name of its own, by default that of its type, under which it stands in slates, timings and features.
    A surface that names a ``preset``, or is called like one, begins with the stages of that, and what is written here
    is put over them; null takes a stage away.
    """

    preset: str | None = Field(None, description="the stages it begins with; default: the preset of the surface's name")
    hide_seen: bool = Field(True, description="items that the user has had to do with are not shown")
    needs_item: bool = Field(
        False, description="a request must name an item, in context.seed_item_id: the page that the slate is about"
    )
    pipeline: PipelineChoice | None = Field(
        None, description="code that makes the surface, in place of the stages below; hydrators are its own, else these"
    )
    hydrators: Stages[HydratorChoice] = Field({}, description="what finds out who asks, one after another")
    sources: Stages[SourceChoice] = Field({}, description="what finds candidates")
    source_weights: dict[str, Weight] | None = Field(
        None,
        max_length=100,
        description="how much each source counts in the merge, 1 where none is named; default: chosen on validation",
    )
    filters: Stages[FilterChoice] = Field({}, description="what may not be shown")
    scorer: ScorerChoice | None = Field(None, description="what orders candidates; without one, the sources' ranks do")
    rerankers: Stages[RerankerChoice] = Field({}, description="what rearranges the slate, one after another")
    backfill: BackfillChoice | None = Field(None, description="what fills a slate that is short")

    @field_validator(*STAGES)
    @classmethod
    def _plain_names(cls, stages: dict[str, ComponentChoice | None]) -> dict[str, ComponentChoice | None]:
        for name in stages:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a stage: use small letters, digits and '_', at most 64")
            if name in RESERVED:
                raise ValueError(f"'{name}' is what the runner calls a part of its own: choose another name")
        return stages

    @model_validator(mode="after")
    def _each_name_once(self) -> SurfaceSettings:
        names = [name for stages in STAGES for name, choice in getattr(self, stages).items() if choice is not None]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two stages are called {twice[0]}: name one of them otherwise")
        if unknown := sorted(self.source_weights.keys() - self.live("sources").keys() if self.source_weights else ()):
            raise ValueError(
                f"source_weights names {unknown[0]}, and the surface has no such source; it has: "
                f"{', '.join(self.live('sources')) or 'none'}"
            )
        if self.pipeline is None and not self.live("sources") and self.backfill is None:
            raise ValueError("the surface has neither sources nor a backfill, so it could show nothing")
        return self

    def live(self, stages: str) -> dict[str, ComponentChoice]:
        """The components of one of :data:`STAGES` that were not taken away, by name."""
        return {name: choice for name, choice in getattr(self, stages).items() if choice is not None}


class SurfacesSettings(RootModel[dict[str, SurfaceSettings | None]]):
    """Surfaces by name. Those that every product starts with are there unless null takes them away."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    root: dict[str, SurfaceSettings | None] = Field(max_length=100)

    @model_validator(mode="before")
    @classmethod
    def _over_presets(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: _over_preset(name, value.get(name, {})) for name in dict.fromkeys((*DEFAULT_SURFACES, *value))}

    @field_validator("root")
    @classmethod
    def _named(cls, surfaces: dict[str, SurfaceSettings | None]) -> dict[str, SurfaceSettings | None]:
        for name in surfaces:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a surface: use small letters, digits and '_', at most 64")
        if not any(surfaces.values()):
            raise ValueError("every surface is taken away: leave one")
        return surfaces

    def __getitem__(self, name: str) -> SurfaceSettings:
        """The surface of that name; KeyError where there is no such surface."""
        found = self.root.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: object) -> bool:
        """Is there a surface of that name?"""
        return name in self.names

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        """The names of the surfaces."""
        return iter(self.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The surfaces there are."""
        return tuple(name for name, surface in self.root.items() if surface is not None)

    def items(self) -> ItemsView[str, SurfaceSettings]:
        """Names and settings of the surfaces there are."""
        return {name: self[name] for name in self.names}.items()

    def inputs(self) -> dict[str, Any]:
        """The values for a fingerprint, as JSON: without credentials."""
        return self.model_dump(mode="json", context=WITHOUT_CREDENTIALS)


def _over_preset(name: str, own: Any) -> Any:
    """What is written of a surface, over the stages that it begins with."""
    if not isinstance(own, Mapping):
        return own
    named = own.get("preset")
    if named is not None and not (isinstance(named, str) and named in PRESETS):
        raise ValueError(f"{name}: there is no preset {named!r}; there are {', '.join(sorted(PRESETS))}")
    begins_with = "" if own.get("pipeline") is not None else named or name
    base = preset_of(begins_with, hide_seen=own.get("hide_seen") is not False)
    merged: dict[str, Any] = {**base, **own}
    for stages in STAGES:
        theirs = own.get(stages, {})
        if isinstance(theirs, Mapping):  # else the field's own validation says what is wrong
            merged[stages] = over(base.get(stages, {}), theirs)
    for single in SINGLE:
        there, theirs = base.get(single), own.get(single)
        if isinstance(there, Mapping) and isinstance(theirs, Mapping):
            merged[single] = theirs if "type" in theirs else {**there, **theirs}
    return merged
