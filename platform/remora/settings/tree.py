"""The settings tree: every number that someone may want to change, with its default and its unit."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, TypeAdapter, ValidationError, model_validator

from remora.contracts.credentials import Connection
from remora.contracts.section import Section
from remora.settings.bounds import (
    MOST_DAYS,
    MOST_ITEMS,
    MOST_MIB,
    MOST_SECONDS,
    Cutoff,
    Days,
    Each,
    Seed,
)
from remora.settings.components import LinearModelChoice, MetricChoice
from remora.settings.data import DataSettings
from remora.settings.gates import GatesSettings
from remora.settings.ranking import NetworkSettings, ObjectiveSettings, RankingSettings, TreeSettings, by_weight
from remora.settings.references import References
from remora.settings.registry import RegistrySettings
from remora.settings.retention import RetentionSettings
from remora.settings.retraining import RetrainingSettings
from remora.settings.rollout import RolloutSettings
from remora.settings.serving import ServingSettings
from remora.settings.tuning import Choice, TuningSettings


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


class FeatureDefinitions(Section):
    """Trailing windows and bounds of the features: what a bundle was built with, and may set."""

    windows_days: Each[Days] = Field(
        (1, 7, 30),
        min_length=1,
        max_length=20,
        description="lengths of the trailing windows of activity features, in days",
    )
    affinity_categories: int = Field(
        32, ge=1, le=1_000, description="categories of the user x category affinity, most frequent first"
    )
    history_length: int = Field(
        50, ge=1, le=10_000, description="positive items that the user tower reads, most recent last"
    )
    seen_limit: int = Field(
        5_000, ge=1, le=10_000_000, description="items per user that the already-seen filter remembers"
    )


class FeatureSettings(FeatureDefinitions):
    """How features are defined, built and stored; where they are stored is the operator's alone."""

    partitions: int = Field(8, ge=1, le=10_000, description="hash partitions of one pass over events")
    redis: Connection = Field(
        "", description="Feast's online store, as host:port[,password=...]; default SQLite in the home"
    )
    registry: Connection = Field("", description="SQLAlchemy URL of Feast's registry; default SQLite in the home")


class RetrievalDefinitions(Section):
    """The two-tower model, its index, and the sources next to it: what a bundle was built with, and may set."""

    dimension: int = Field(64, ge=1, le=8_192, description="width of the vectors of users and items")
    epochs: int = Field(
        8, ge=1, le=10_000, description="most passes over the training examples; the best by validation is kept"
    )
    batch_size: int = Field(512, ge=1, le=1_000_000, description="of all workers together")
    learning_rate: float = Field(2e-3, gt=0, le=10, description="of Adam")
    history_encoder: Literal["attention", "mean", "causal_transformer", "hstu"] = Field(
        "attention", description="what reads the user's history; attention is the cheapest to serve"
    )
    history_layers: int = Field(1, ge=1, le=100, description="of causal_transformer and hstu")
    history_heads: int = Field(2, ge=1, le=100, description="of causal_transformer and hstu")
    history_dropout: float = Field(0.1, ge=0, lt=1, description="of causal_transformer, hstu and mean")
    loss: Literal["sampled_softmax", "bilateral_softmax", "gbce", "full_cross_entropy"] = Field(
        "sampled_softmax", description="full_cross_entropy compares with the whole catalogue: up to 20,000 items"
    )
    temperature: float = Field(
        0.1, ge=0.001, le=100, description="that similarities are divided by in the loss; lower is sharper"
    )
    uniform_negatives: int = Field(
        512, ge=0, le=1_000_000, description="drawn beside the batch's targets; not of full_cross_entropy"
    )
    id_dropout: float = Field(
        0.1, ge=0, le=1, description="share of target ids hidden in training, so content alone works"
    )
    text_hash_buckets: int = Field(
        4096, ge=1, le=10_000_000, description="rows of the table that words are hashed into"
    )
    seed: Seed = Field(7, description="of weights, shuffles and draws")
    nearest_limit: int = Field(300, ge=1, le=100_000, description="candidates of the two-tower source")
    co_visited_limit: int = Field(200, ge=1, le=100_000, description="candidates of the co-visitation source")
    linear_limit: int = Field(200, ge=0, le=100_000, description="candidates of the linear model; 0 turns it off")
    trending_limit: int = Field(100, ge=1, le=100_000, description="candidates of the trending source")
    newest_limit: int = Field(30, ge=0, le=100_000, description="candidates among items that are new; 0 turns it off")
    newest_days: float = Field(
        30.0, gt=0, le=MOST_DAYS, description="since an item's first event, or its entry in the catalogue"
    )
    co_visited_neighbours: int = Field(100, ge=1, le=100_000, description="kept of each item")
    co_visited_half_life_days: float = Field(
        180.0, gt=0, le=MOST_DAYS, description="days after which a pair of events counts half"
    )
    co_visited_window: int = Field(
        30, ge=1, le=10_000, description="positive events of one user that count as near each other"
    )
    co_visited_popularity_exponent: float = Field(
        0.3, ge=0, le=1, description="0.5 is the cosine; less favours the popular"
    )
    linear_model: LinearModelChoice = Field(
        "next_item",  # type: ignore[assignment]
        validate_default=True,
        description="of the source `linear`",
    )
    linear_top_k: int = Field(200, ge=1, le=100_000, description="kept of each item")
    linear_max_items: int = Field(
        20_000, ge=2, le=1_000_000, description="items it knows, most popular first; memory is its square"
    )
    segment: str | None = Field(
        None, min_length=1, description="of data.user_columns; people without a history get what it wants"
    )
    segment_limit: int = Field(100, ge=1, le=100_000, description="candidates for a user without a history")
    segment_smoothing_events: float = Field(
        1_000.0, ge=0, le=1e12, description="events of all users that each segment's are mixed with"
    )
    validation_user_fraction: float = Field(0.05, ge=0, lt=1, description="share of users on whom the epoch is chosen")
    min_index_recall: float = Field(
        0.98, gt=0, le=1, description="of exact search at 500, that a larger index must reach"
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> RetrievalDefinitions:
        if self.dimension % self.history_heads:
            raise ValueError(f"dimension {self.dimension} is no multiple of history_heads {self.history_heads}")
        return self


class RetrievalSettings(RetrievalDefinitions):
    """The models and sources of retrieval, and what training them may cost."""

    workers: int = Field(2, ge=1, le=1_000, description="Ray Train workers")
    shuffle_buffer_rows: int = Field(
        200_000, ge=1, le=1_000_000_000, description="examples that a worker holds and shuffles at a time"
    )
    index_build_seconds: float = Field(
        600.0, gt=0, le=MOST_SECONDS, description="kinds that would take longer to build are left out"
    )
    index_memory_mib: float = Field(
        4_096.0, gt=0, le=MOST_MIB, description="kinds that would take more memory are left out"
    )
    max_failures: int = Field(
        3, ge=0, le=1_000, description="times that a lost worker is replaced before training fails"
    )

    @model_validator(mode="after")
    def _each_worker_has_a_row(self) -> RetrievalSettings:
        if self.batch_size < self.workers:
            raise ValueError(f"batch_size {self.batch_size} leaves nothing for some of the workers, {self.workers}")
        return self


class SurfaceSettings(Section):
    """Policies of one surface."""

    hide_seen: bool = Field(True, description="items that the user has had to do with are not shown")
    diversity_window: int = Field(4, ge=1, le=MOST_ITEMS, description="1 turns spacing off")
    diversity_strength: float = Field(
        0.05,
        ge=0,
        le=1e6,
        description="what one repetition of an item's categories within the window costs it, in standard deviations of "
        "the slate's scores; 0 turns spacing off",
    )


class SurfacesSettings(Section):
    """One entry a surface."""

    home_feed: SurfaceSettings = SurfaceSettings()
    similar_items: SurfaceSettings = SurfaceSettings(diversity_strength=0.0)


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
    max_snapshots: int = Field(20, ge=1, le=100_000, description="most refreshes of the item features within a window")
    new_user_events: int = Field(
        5, ge=0, le=1_000_000, description="users with fewer positive events before the query are `new`"
    )
    heavy_user_events: int = Field(100, ge=1, le=1_000_000_000, description="users with at least as many are `heavy`")
    cold_start_holdout_fraction: float = Field(
        0.0, ge=0, lt=1, description="share of items hidden from a training of its own and then looked for; 0: none"
    )
    cold_start_epochs: int = Field(4, ge=1, le=10_000, description="of that training")
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
    features: FeatureSettings = FeatureSettings()
    retrieval: RetrievalSettings = Field(default_factory=RetrievalSettings)
    ranking: RankingSettings = RankingSettings()
    surfaces: SurfacesSettings = SurfacesSettings()
    evaluation: EvaluationSettings = Field(default_factory=EvaluationSettings)
    serving: ServingSettings = ServingSettings()
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

    @model_validator(mode="after")
    def _segment_is_known(self) -> Settings:
        if (segment := self.retrieval.segment) is not None and segment not in self.data.user_columns:
            declared = ", ".join(self.data.user_columns) or "nothing"
            raise ValueError(f"retrieval.segment is '{segment}'; data.user_columns has: {declared}")
        return self

    @model_validator(mode="after")
    def _tunes_what_there_is(self) -> Settings:
        tuned: tuple[tuple[str, type[Section]], ...] = (
            ("retrieval", RetrievalSettings),
            ("trees", TreeSettings),
            ("network", NetworkSettings),
        )
        for part, section in tuned:
            for name, space in getattr(self.tuning, part).items():
                if name not in section.model_fields:
                    known = ", ".join(section.model_fields)
                    raise ValueError(f"tuning.{part} has {name!r}, which {part} does not have. It has {known}")
                for value in space.choices if isinstance(space, Choice) else (space.low, space.high):
                    _check_field(section, part, name, value)
        return self


def _check_field(section: type[Section], part: str, name: str, value: Any) -> None:
    """ValueError where no section could have that value."""
    field = section.model_fields[name]
    if field.annotation is int and isinstance(value, float):
        value = int(value)
    try:
        TypeAdapter(Annotated[field.annotation, field]).validate_python(value)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ValueError(f"tuning.{part}.{name} offers {value!r}: {error.errors()[0]['msg']}") from error
