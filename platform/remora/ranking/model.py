"""What a ranking model is: a component that learns from past slates and gives each candidate a margin by objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path

    from torch import Tensor

    from remora.ranking.batch import Batch
    from remora.ranking.learning import LearningResult, RankerInputs, RankingData

Margins = npt.NDArray[np.float32]


class RankingModel(Protocol):
    """A component of the kind ``ranking model``; ``config`` is what the settings say of it, by its own ``Config``.

    It may also be a :class:`SelectableModel`, an :class:`ExplainedModel`, a :class:`VectorReadingModel`, and what a
    search tries (:mod:`remora.ranking.trials`). One that reads features alone says ``takes_live_rows = True``; another
    gives no margin for items that came after it (:mod:`remora.pipeline.live_rows`).
    """

    @classmethod
    def learn(cls, config: Any, data: RankingData) -> LearningResult:
        """From the ranking window, chosen on the validation window."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files into an empty folder, in formats of a bundle: safetensors, UBJSON, Parquet, JSON, text."""
        ...

    @classmethod
    def load(cls, config: Any, folder: Path, inputs: RankerInputs) -> Self:
        """What :meth:`save` wrote."""
        ...

    def margins(self, batch: Batch) -> Margins:
        """Shape (n, objectives) float32: the larger the likelier, on the model's own scale. One thread."""
        ...


@runtime_checkable
class SelectableModel(Protocol):
    """A model that can leave objectives out, and do less work then."""

    def select(self, indices: Sequence[int]) -> RankingModel:
        """The same model for the objectives at these indices."""
        ...


@runtime_checkable
class ExplainedModel(Protocol):
    """A model whose margin is a sum over features."""

    def contributions(self, batch: Batch, objective: str) -> npt.NDArray[np.float32]:
        """What each feature adds to the margin of an objective, shape (n, F + 1); the last column is what every row has
        in common. A row adds up to its margin."""
        ...


@runtime_checkable
class VectorReadingModel(Protocol):
    """A model that reads vectors of items by their rows, and can be given those of items that came later."""

    def with_live_items(self, vectors: Tensor) -> RankingModel:
        """The same model, to which the rows behind its item vectors have ``vectors`` (m, d)."""
        ...
