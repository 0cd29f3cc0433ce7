"""What a scorer makes of candidates, what it predicts of them, and what it read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from remora.pipeline.candidates import Floats
from remora.pipeline.feature_rows import FeatureRows
from remora.pipeline.rows import spread

Predictions = Mapping[str, npt.NDArray[np.float64]]
"""By objective, shape (n,): the probability that it happens, or the expected amount."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoredCandidates:
    """Of n candidates: ``scores`` (n,), NaN where the scorer cannot tell; ``predictions`` of which they are made, and
    the ``features`` (n, F) that were read for them."""

    scores: Floats
    predictions: Predictions
    features: FeatureRows

    def spread(self, where: npt.NDArray[np.bool_]) -> ScoredCandidates:
        """The same of more candidates (m,), these n where ``where`` (m,) holds; the others are unscored."""
        return ScoredCandidates(
            scores=spread(self.scores, where),
            predictions={name: spread(predicted, where) for name, predicted in self.predictions.items()},
            features=replace(self.features, values=spread(self.features.values, where)),
        )
