"""The settings of a source that reads a retrieval model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.settings.retrieval import TWO_TOWER

if TYPE_CHECKING:  # settings import the components that they name
    from remora.settings import Settings


class ModelConfig(ComponentConfig):
    """Of a source that reads ``model``."""

    model: str = Field(max_length=64, description="of retrieval.models")
    limit: int = Field(200, ge=1, le=100_000, description="candidates at the most")


class ReadsModel:
    """A source whose settings name a model."""

    @classmethod
    def check_settings(cls, config: ModelConfig, settings: Settings) -> None:
        """ValueError where ``retrieval.models`` has no such model."""
        if config.model not in settings.retrieval.learned and config.model != TWO_TOWER:
            known = ", ".join((TWO_TOWER, *settings.retrieval.learned))
            raise ValueError(
                f"it reads the model '{config.model}', which retrieval.models does not have; there are: {known}. Name "
                f"one of them, or set the source to null"
            )
