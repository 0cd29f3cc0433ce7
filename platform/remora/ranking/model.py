"""What every ranking model can do, whatever it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from remora.ranking.batch import Batch

Margins = npt.NDArray[np.float32]


class RankingModel(Protocol):
    """Predicts each objective of each candidate."""

    def margins(self, batch: Batch) -> Margins:
        """Shape (n, objectives): the larger the likelier, on the model's own scale."""

    def select(self, indices: Sequence[int]) -> Self:
        """The same model for the objectives at these indices."""

    def save(self, folder: Path) -> None:
        """Write what loading it takes."""
