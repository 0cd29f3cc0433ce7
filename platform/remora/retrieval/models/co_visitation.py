"""Items that the same people want around the same time, as a model that sources read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.models.item_lists import ItemLists
from remora.settings.bounds import MOST_DAYS

if TYPE_CHECKING:  # settings import the components that they name
    from remora.retrieval.models.learning import LearningData


class CoVisitation(ItemLists):
    """Item-to-item co-visitation, with decay by time and distance: :func:`remora.retrieval.co_visitation.count`."""

    class Config(ComponentConfig):
        """The settings of the model."""

        neighbours: int = Field(100, ge=1, le=100_000, description="kept of each item")
        half_life_days: float = Field(
            180.0, gt=0, le=MOST_DAYS, description="days after which a pair of events counts half"
        )
        window: int = Field(
            30, ge=1, le=10_000, description="positive events of one user that count as near each other"
        )
        popularity_exponent: float = Field(0.3, ge=0, le=1, description="0.5 is the cosine; less favours the popular")

    @classmethod
    def learn(cls, config: Config, data: LearningData) -> CoVisitation:
        """See :class:`~remora.retrieval.models.learning.RetrievalModel`."""
        from remora.retrieval.co_visitation import count

        return cls(neighbours=count(data.events, data.vocabulary, data.settings, data.as_of, config))
