"""How much each source counts when what the sources found is merged, by how much is known of the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from remora.pipeline.candidates import Weights

Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class MergeWeights(BaseModel):
    """Weights of the sources of one surface, by name; a source that is not named counts 1.

    ``new_users`` are for requests with fewer than ``new_user_events`` positive items in the history, ``others`` for all
    the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    new_user_events: int = Field(0, ge=0)
    new_users: Mapping[str, Weight] = {}
    others: Mapping[str, Weight] = {}

    def of(self, history: int, sources: Sequence[str]) -> Weights:
        """The weights (S,) of ``sources``, for a user with so many positive items in the history."""
        chosen = self.new_users if history < self.new_user_events else self.others
        return np.array([chosen.get(source, 1.0) for source in sources], np.float64)
