"""How several models' margins become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from remora.ranking.model import Margins


class Blend(BaseModel):
    """For each objective (in order) the share of each model, of margins divided by ``spread``; shares add up to 1.

    ``spread`` is the deviation of a model's margins within slates on validation, so that shares compare like with like.
    """

    model_config = ConfigDict(frozen=True)

    shares: dict[str, tuple[float, ...]]
    spread: dict[str, tuple[float, ...]]

    @classmethod
    def of_one(cls, model: str, objectives: int) -> Blend:
        """A single model, as it is."""
        return cls(shares={model: (1.0,) * objectives}, spread={model: (1.0,) * objectives})

    @property
    def models(self) -> tuple[str, ...]:
        """The models that have a share in anything."""
        return tuple(model for model, shares in self.shares.items() if any(shares))

    def select(self, indices: Sequence[int]) -> Blend:
        """The same for the objectives at these indices."""

        def chosen(of: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
            return {model: tuple(values[index] for index in indices) for model, values in of.items()}

        return Blend(shares=chosen(self.shares), spread=chosen(self.spread))

    def of(self, margins: Mapping[str, Margins]) -> Margins:
        """From each model's margins (n, objectives) to the blend's, (n, objectives) float32."""
        parts = [
            np.asarray(self.shares[model], np.float32) / np.asarray(self.spread[model], np.float32) * margins[model]
            for model in self.models
        ]
        return np.sum(parts, axis=0, dtype=np.float32)
