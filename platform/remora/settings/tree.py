"""The settings tree: every number that someone may want to change, with its default and its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError, model_validator

from remora.core.credentials import Connection
from remora.core.section import Section
from remora.extensions import UnresolvedConfig, choices_by_place
from remora.settings.bounds import (
    MOST_DAYS,
    Cutoff,
    Each,
    Seed,
)
from remora.settings.components import MetricChoice
from remora.settings.data import DataSettings
from remora.settings.events import EventsSettings
from remora.settings.features import FeatureSettings
from remora.settings.gates import GatesSettings
from remora.settings.ranking import ObjectiveSettings, RankingSettings, by_weight
from remora.settings.references import References
from remora.settings.registry import RegistrySettings
from remora.settings.retention import RetentionSettings
from remora.settings.retraining import RetrainingSettings
from remora.settings.retrieval import RetrievalSettings
from remora.settings.rollout import RolloutSettings
from remora.settings.serving import ServingSettings
from remora.settings.surfaces import SurfaceSettings, SurfacesSettings
from remora.settings.tuning import Choice, Range, TuningSettings


class ClusterSettings(Section):
    """Where the work runs."""

    address: str | None = Field(None, min_length=1, description="a Ray address; None starts or joins the local one")
    cpus: int | None = Field(
        None, ge=1, le=10_000, description="logical CPUs of a local cluster; None offers at least 4"
    )
    object_store_gib: float = Field(1.0, ge=0.08, le=10_000, description="object store of a local cluster")


class SplitSettings(Section):
    """Time is cut in four by shares of events: retrieval training, ranking training, validation, test."""

    retrieval: float = Field(
        0.65, gt=0, lt=1, description="share of events, from the first on, that retrieval learns from"
    )
    ranking: float = Field(0.15, gt=0, lt=1, description="share after that from which the ranker learns")
    validation: float = Field(
        0.08,
        gt=0,
        lt=1,
        description="share after that on which settings and calibration are chosen; the rest is the test",
    )

    @model_validator(mode="after")
    def _test_is_left(self) -> SplitSettings:
        if self.retrieval + self.ranking + self.validation >= 0.99:
            raise ValueError("retrieval + ranking + validation must leave at least 0.01 of the events for the test")
        return self


METRICS: Any = (
    "ndcg",
    "recall",
    "mrr",
    "map",
    "hit_rate",
    "coverage",
    "novelty",
    "intra_list_diversity",
    "popularity_bias",
)


class AttributionSettings(Section):
    """To which slate that was shown an event belongs."""

    horizons_days: dict[str, Annotated[float, Field(gt=0, le=MOST_DAYS)]] = Field(
        {}, description="event type -> how soon after it was shown it counts, where not `evaluation.horizon_days`"
    )
    exposure: Literal["first", "last"] = Field(
        "last", description="of several slates that showed the item, where the event names none"
    )
    by: Literal["request", "request_or_item"] = Field(
        "request_or_item", description="request: an event that names no slate belongs to none"
    )


class EvaluationSettings(Section):
    """How queries are made from held-out time, and how they are judged."""

    cutoffs: Each[Cutoff] = Field(
        (10, 100), min_length=1, max_length=20, description="k of the metrics, in items of a slate"
    )
    metrics: Each[MetricChoice] = Field(
        METRICS, min_length=1, max_length=100, validate_default=True, description="what slates are judged by"
    )
    events_between_queries: int = Field(
        20, ge=1, le=1_000_000, description="a query before a user's 1st, (1+k)th, … event of the window"
    )
    queries_per_user: int = Field(6, ge=1, le=1_000_000, description="most queries of one user in a window")
    max_queries: int = Field(
        20_000, ge=1, le=1_000_000_000, description="of the test window that are replayed, drawn evenly of all"
    )
    horizon_days: float = Field(
        7.0, gt=0, le=MOST_DAYS, description="positive events this soon after the query are its targets"
    )
    attribution: AttributionSettings = AttributionSettings()
    max_snapshots: int = Field(20, ge=1, le=100_000, description="most refreshes of the item features within a window")
    new_user_events: int = Field(
        5, ge=0, le=1_000_000, description="users with fewer positive events before the query are `new`"
    )
    heavy_user_events: int = Field(100, ge=1, le=1_000_000_000, description="users with at least as many are `heavy`")
    cold_start_holdout_fraction: float = Field(
        0.0, ge=0, lt=1, description="share of items hidden from a training of its own and then looked for; 0: none"
    )
    cold_start_epochs: int = Field(4, ge=1, le=10_000, description="of that training")
    cold_start_quota: int = Field(
        30, ge=1, le=100_000, description="places for new items in which they are looked for, as of the source `newest`"
    )
    new_item_events: int = Field(
        5, ge=0, le=1_000_000, description="items with fewer events before the query are `new`"
    )
    bootstrap_samples: int = Field(
        1_000, ge=2, le=1_000_000, description="resamples of users that an interval is made of"
    )
    seed: Seed = Field(7, description="of draws of queries and of resamples")

    @model_validator(mode="after")
    def _each_name_once(self) -> EvaluationSettings:
        named = [one.component.cls.name for one in self.metrics]
        if twice := sorted({name for name in named if named.count(name) > 1}):
            raise ValueError(f"metrics has two of the name {twice[0]}, and a report can hold one: leave one out")
        return self


class Settings(Section):
    """Everything. One file makes one home."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=100, description="also the Feast project and MLflow experiment"
    )
    home: Connection = Field("", description="directory or s3:// URL; default .remora/<name> of the working directory")
    data: DataSettings
    cluster: ClusterSettings = ClusterSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    retrieval: RetrievalSettings = Field(default_factory=RetrievalSettings)
    ranking: RankingSettings = Field(default_factory=RankingSettings)
    surfaces: SurfacesSettings = Field(default_factory=lambda: SurfacesSettings.model_validate({}))
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    serving: ServingSettings = ServingSettings()
    events: EventsSettings = EventsSettings()
    tuning: TuningSettings = TuningSettings()
    registry: RegistrySettings = RegistrySettings()
    gates: GatesSettings = GatesSettings()
    rollout: RolloutSettings = RolloutSettings()
    retraining: RetrainingSettings = RetrainingSettings()
    retention: RetentionSettings = RetentionSettings()
    tracking_uri: Connection = Field("", description="MLflow server or database; default SQLite in the home")

    _references: References = PrivateAttr(default_factory=dict)

    @property
    def references(self) -> References:
        """Place -> the reference that its value was read from."""
        return self._references

    def with_references(self, references: References) -> Settings:
        """The same, read with these references."""
        found = self.model_copy()
        found._references = dict(references)
        return found

    @property
    def objectives(self) -> dict[str, ObjectiveSettings]:
        """What the ranker predicts, by name."""
        return self.ranking.objectives or by_weight(self.data.event_types)

    @model_validator(mode="after")
    def _objectives_are_made_of_events(self) -> Settings:
        for name, objective in self.ranking.objectives.items():
            if not re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", name):
                raise ValueError(f"objective {name!r}: use small letters and digits, with single '_' between words")
            if unknown := [event for event in objective.events if event not in self.data.event_types]:
                raise ValueError(
                    f"objective {name}: event type '{unknown[0]}' is not declared; event_types has: "
                    f"{', '.join(self.data.event_types)}"
                )
        if not any(objective.weight for objective in self.objectives.values()):
            raise ValueError("no objective has a weight above 0: nothing would order a slate")
        return self

    @model_validator(mode="after")
    def _gates_have_metrics_of_relevance(self) -> Settings:
        bounded = [one.component.cls.name for one in self.evaluation.metrics if one.component.cls.of_relevance]
        for bound in self.gates.offline:
            if bound.metric not in bounded:
                raise ValueError(
                    f"gates.offline bounds {bound.metric!r}; the metrics of relevance in evaluation.metrics are: "
                    f"{', '.join(bounded) or 'none'}"
                )
        return self

    @model_validator(mode="after")
    def _logged_slates_are_known(self) -> Settings:
        if self.ranking.candidates == "logged" and self.data.impression is None:
            raise ValueError("ranking.candidates is logged: name the event type of what was shown as data.impression")
        return self

    @property
    def ranked_surface(self) -> SurfaceSettings:
        """The surface whose candidates the ranker learns from, and whose rules say what a target is."""
        return self.surfaces[self.ranking.surface]

    @model_validator(mode="after")
    def _ranked_surface_is_there(self) -> Settings:
        if self.ranking.surface not in self.surfaces:
            raise ValueError(
                f"ranking.surface is '{self.ranking.surface}', the surface that the ranker learns from; surfaces has: "
                f"{', '.join(self.surfaces)}"
            )
        return self

    @model_validator(mode="after")
    def _components_fit(self) -> Settings:
        for place, choice in choices_by_place(self):
            if isinstance(choice.config, UnresolvedConfig):
                continue
            # What a component's settings need of the others, it says itself.
            if (check := getattr(choice.component.cls, "check_settings", None)) is not None:
                try:
                    check(choice.config, self)
                except ValueError as error:
                    raise ValueError(f"{place}: {error}") from error
        return self

    @model_validator(mode="after")
    def _tunes_what_there_is(self) -> Settings:
        _check_spaces("tuning.retrieval", RetrievalSettings, self.tuning.retrieval)
        for name, spaces in self.tuning.ranking.items():
            if name not in self.ranking.learned:
                raise ValueError(
                    f"tuning.ranking has {name!r}, and ranking.models has: {', '.join(self.ranking.learned)}"
                )
            config = self.ranking.learned[name].config
            if not isinstance(config, UnresolvedConfig):
                _check_spaces(f"tuning.ranking.{name}", type(config), spaces)
        return self


def _check_spaces(place: str, section: type[Section], spaces: Mapping[str, Range | Choice]) -> None:
    """ValueError for a field that the section does not have, and for a value that it could not have."""
    for name, space in spaces.items():
        if name not in section.model_fields:
            known = ", ".join(section.model_fields)
            raise ValueError(f"{place} has {name!r}, which {place.partition('.')[2]} does not have. It has {known}")
        for value in space.choices if isinstance(space, Choice) else (space.low, space.high):
            _check_field(section, place, name, value)


def _check_field(section: type[Section], place: str, name: str, value: Any) -> None:
    """ValueError where no section could have that value."""
    field = section.model_fields[name]
    if field.annotation is int and isinstance(value, float):
        value = int(value)
    try:
        bounded = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        TypeAdapter(bounded).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ValueError(f"{place}.{name} offers {value!r}: {error.errors()[0]['msg']}") from error
