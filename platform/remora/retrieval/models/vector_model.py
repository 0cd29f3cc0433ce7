"""Models that have vectors of users and of items in one space: what the sources of nearest items read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings import the components that they name
    from remora.core.vocabulary import ItemCodes
    from remora.pipeline import Query, Retrieved
    from remora.pipeline.candidates import Floats


class VectorModel(ABC):
    """The trained towers, and models of ``retrieval.models`` that are like them; a score is an inner product.

    One that says ``takes_live_rows`` may be asked of items that came after it was learned, and knows what it does not
    know (:mod:`remora.pipeline.live_rows`).
    """

    takes_live_rows: bool = False

    @abstractmethod
    def of_user(self, query: Query) -> Floats | None:
        """The vector (d,) of a hydrated query's user; None for one of whom the model can tell nothing."""

    @abstractmethod
    def of_item(self, row: int) -> Floats | None:
        """The vector (d,) that finds what goes with an item; None for one that the model does not know."""

    @abstractmethod
    def search(self, vector: Floats, k: int) -> Retrieved:
        """The ``k`` items of the largest scores for ``vector`` (d,), best first; fewer only when it knows fewer."""

    @abstractmethod
    def scores(self, vector: Floats, rows: ItemCodes) -> Floats:
        """What :meth:`search` would give some items (n,), exactly; NaN for one that the model does not know."""
