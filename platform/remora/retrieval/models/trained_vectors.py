"""The base of models that are trained once and read a user as the items that they wanted."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.retrieval.models.vector_model import VectorModel
from remora.settings.bounds import Seed

if TYPE_CHECKING:  # settings import the components that they name
    import numpy.typing as npt

    from remora.core.vocabulary import ItemCodes
    from remora.pipeline import Query, Retrieved
    from remora.pipeline.candidates import Floats
    from remora.retrieval.models.item_vectors import ItemVectors


class TrainingConfig(ComponentConfig):
    """How a model is trained."""

    dimension: int = Field(64, ge=2, le=8_192, description="width of the vectors of users and items")
    epochs: int = Field(20, ge=1, le=10_000, description="most passes over the events; the best by validation is kept")
    patience: int = Field(4, ge=1, le=10_000, description="epochs without a better validation that end the training")
    learning_rate: float = Field(2e-3, gt=0, le=10, description="of Adam")
    negatives: int = Field(512, ge=1, le=1_000_000, description="items that each positive is compared with")
    validation_user_fraction: float = Field(
        0.05, ge=0, lt=1, description="share of users whose last items choose the epoch; 0: the last epoch is kept"
    )
    seed: Seed = Field(7, description="of weights, shuffles and draws")


@dataclass(frozen=True, kw_only=True)
class TrainedVectors(VectorModel):
    """A user is what :meth:`encode` makes of their history, an item what it makes of a history of that item alone.

    Items that came after the training have no vector: they are not found, and count for nothing in a history.
    """

    takes_live_rows = True

    items: ItemVectors

    @abstractmethod
    def encode(self, history: npt.NDArray[np.int64]) -> Floats:
        """The vector (d,) of positions (n,) in :attr:`items`, at least one, most recent last."""

    def of_rows(self, rows: ItemCodes) -> Floats | None:
        """The vector (d,) of item rows (n,), most recent last; None where none of them has a vector."""
        known = self.items.known(rows)
        return self.encode(known) if len(known) else None

    def of_user(self, query: Query) -> Floats | None:
        """See :class:`VectorModel`."""
        return self.of_rows(query.history)

    def of_item(self, row: int) -> Floats | None:
        """See :class:`VectorModel`."""
        return self.of_rows(np.array([row], np.int32))

    def search(self, vector: Floats, k: int) -> Retrieved:
        """See :class:`VectorModel`."""
        return self.items.search(vector, k)

    def scores(self, vector: Floats, rows: ItemCodes) -> Floats:
        """See :class:`VectorModel`."""
        return self.items.scores(vector, rows)
