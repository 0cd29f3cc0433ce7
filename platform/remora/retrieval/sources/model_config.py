"""The settings of a source that reads a retrieval model."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.models.vector_model import VectorModel
from remora.settings.retrieval import TWO_TOWER

if TYPE_CHECKING:  # settings import the components that they name
    from remora.settings import Settings


class ModelConfig(ComponentConfig):
    """Of a source that reads ``model``."""

    model: str = Field(max_length=64, description="of retrieval.models")
    limit: int = Field(200, ge=1, le=100_000, description="candidates at the most")


class VectorConfig(ModelConfig):
    """Of a source that reads a model with vectors."""

    model: str = Field(TWO_TOWER, max_length=64, description="two_tower, or one of retrieval.models that has vectors")
    limit: int = Field(300, ge=1, le=100_000, description="candidates at the most")


class ReadsModel:
    """A source whose settings name a model; ``reads`` is the base of those that it can read."""

    reads: ClassVar[type]

    @classmethod
    def check_settings(cls, config: ModelConfig, settings: Settings) -> None:
        """ValueError where ``retrieval.models`` has no such model, or one that the source cannot read."""
        # Of the towers the base alone: what they are made of takes seconds to import.
        models = {TWO_TOWER: VectorModel} | {
            name: choice.component.cls for name, choice in settings.retrieval.learned.items()
        }
        readable = ", ".join(name for name, model in models.items() if issubclass(model, cls.reads)) or "none"
        if config.model not in models:
            raise ValueError(
                f"it reads the model '{config.model}', which retrieval.models does not have; there are: {readable}. "
                f"Name one of them, or set the source to null"
            )
        if not issubclass(models[config.model], cls.reads):
            raise ValueError(
                f"it reads the model '{config.model}', which is no {cls.reads.__name__}; those there are: {readable}. "
                f"Name one of them, or set the source to null"
            )
