"""What a scorer makes of candidates, what it predicts of them, and what it read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remora.pipeline.candidates import Floats
from remora.pipeline.feature_rows import FeatureRows

Predictions = Mapping[str, npt.NDArray[np.float64]]
"""By objective, shape (n,): the probability that it happens, or the expected amount."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoredCandidates:
    """Of n candidates: ``scores`` (n,), NaN where the scorer cannot tell; ``predictions`` of which they are made, and
    the ``features`` (n, F) that were read for them."""

    scores: Floats
    predictions: Predictions
    features: FeatureRows
