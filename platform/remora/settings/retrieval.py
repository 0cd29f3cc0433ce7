"""The settings of retrieval: the two towers, and the models beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator, model_validator

from remora.core.section import Section
from remora.extensions.kinds import TRAIN
from remora.settings.bounds import MOST_MIB, MOST_SECONDS, Seed
from remora.settings.components import HistoryEncoderChoice, LossChoice, RetrievalModelChoice
from remora.settings.named_components import NAME, over

TWO_TOWER = "two_tower"
"""The name under which stages read the towers, which are trained and no model of ``retrieval.models``."""

DEFAULT_MODELS: Mapping[str, Any] = {"co_visitation": {}, "linear": {}}


class RetrievalDefinitions(Section):
    """The two-tower model, its index, and the models beside it: what a bundle was built with, and may set."""

    dimension: int = Field(64, ge=1, le=8_192, description="width of the vectors of users and items")
    epochs: int = Field(
        8, ge=1, le=10_000, description="most passes over the training examples; the best by validation is kept"
    )
    batch_size: int = Field(512, ge=1, le=1_000_000, description="of all workers together")
    learning_rate: float = Field(2e-3, gt=0, le=10, description="of Adam")
    history_encoder: HistoryEncoderChoice = Field(
        "attention",  # type: ignore[assignment]
        validate_default=True,
        description="what reads the user's history; attention is the cheapest to serve",
    )
    loss: LossChoice = Field(
        "sampled_softmax",  # type: ignore[assignment]
        validate_default=True,
        description="what is minimized; full_cross_entropy compares with the whole catalogue: up to 20,000 items",
    )
    temperature: float = Field(
        0.1, ge=0.001, le=100, description="that similarities are divided by in the loss; lower is sharper"
    )
    uniform_negatives: int = Field(
        512, ge=0, le=1_000_000, description="drawn beside the batch's targets, for a loss that needs negatives"
    )
    id_dropout: float = Field(
        0.1, ge=0, le=1, description="share of target ids hidden in training, so content alone works"
    )
    text_hash_buckets: int = Field(
        4096, ge=1, le=10_000_000, description="rows of the table that words are hashed into"
    )
    seed: Seed = Field(7, description="of weights, shuffles and draws")
    models: dict[str, RetrievalModelChoice | None] = Field(
        {},
        validate_default=True,
        max_length=100,
        description="learned of events, beside the towers; null: none of that name",
    )
    validation_user_fraction: float = Field(0.05, ge=0, lt=1, description="share of users on whom the epoch is chosen")
    min_index_recall: float = Field(
        0.98, gt=0, le=1, description="of exact search at 500, that a larger index must reach"
    )

    @field_validator("models", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any) -> Any:
        return over(DEFAULT_MODELS, value) if isinstance(value, Mapping) else value

    @field_validator("models")
    @classmethod
    def _named(cls, models: dict[str, RetrievalModelChoice | None]) -> dict[str, RetrievalModelChoice | None]:
        for name in models:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a model: use small letters, digits and '_', at most 64")
        if TWO_TOWER in models:
            raise ValueError(f"{TWO_TOWER} is what the towers are called: choose another name")
        return models

    @property
    def learned(self) -> dict[str, RetrievalModelChoice]:
        """The models that were not taken away, by name."""
        return {name: choice for name, choice in self.models.items() if choice is not None}

    @property
    def trained(self) -> dict[str, RetrievalModelChoice]:
        """Those of them that the step `train models` trains; the others are learned as of each instant."""
        return {name: choice for name, choice in self.learned.items() if hasattr(choice.component.cls, TRAIN)}

    @model_validator(mode="after")
    def _encoder_fits(self) -> RetrievalDefinitions:
        self.history_encoder.check_dimension(self.dimension)
        return self


class RetrievalSettings(RetrievalDefinitions):
    """The models of retrieval, and what training them may cost."""

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
