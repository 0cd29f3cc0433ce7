"""A linear item-to-item model, as a model that sources read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.models.item_lists import ItemLists
from remora.settings.components import LinearModelChoice

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.models.learning import LearningData


class LinearLists(ItemLists):
    """What one of the linear models gives a user who had one item alone, kept as a list of each item.

    A linear model's scores are sums over the history, so its lists are all that serving needs.
    """

    class Config(ComponentConfig):
        """The settings of the model."""

        model: LinearModelChoice = Field(
            "next_item",  # type: ignore[assignment]
            validate_default=True,
            description="what the lists are learned by",
        )
        top_k: int = Field(200, ge=1, le=100_000, description="kept of each item")
        max_items: int = Field(
            20_000, ge=2, le=1_000_000, description="items it knows, most popular first; memory is its square"
        )

    @classmethod
    def learn(cls, config: Config, data: LearningData) -> LinearLists:
        """See :class:`~remora.retrieval.models.learning.RetrievalModel`."""
        from remora.retrieval.item_to_item_lists import fit

        found = fit(data.events, data.vocabulary, data.settings, data.as_of, config)
        return cls(neighbours=found, step_decay=cls.decay_of(config))

    @classmethod
    def decay_of(cls, config: Any) -> float:
        """The model's own decay, 1 where order does not matter to it."""
        decay: float = config.model.component.cls.step_decay(config.model.config)
        return decay
