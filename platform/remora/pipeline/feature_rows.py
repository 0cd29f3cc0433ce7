"""What a ranking model read of some items of one request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from remora.pipeline.candidates import Floats


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FeatureRows:
    """n items and F features: ``values`` (n, F) float32, NaN for missing, as of ``instant`` (UTC).

    ``schema`` is the hash of the features' names and kinds, in their order.
    """

    schema: str
    instant: datetime
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, indices: npt.NDArray[np.intp]) -> FeatureRows:
        """The rows at these indices (m,), in that order, as a copy."""
        return replace(self, values=self.values[indices])
