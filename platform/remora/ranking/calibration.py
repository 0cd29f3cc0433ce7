"""From a model's margin to what it predicts: a probability, or an expected amount."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]


class Calibrator(Protocol):
    """A map that never turns the order of two margins of one slate around."""

    def __call__(self, margins: Floats, history: Ints) -> npt.NDArray[np.float64]:
        """Shapes (n,) to shape (n,); NaN stays NaN. ``history`` counts the positive items that the user had."""


class Sigmoid(BaseModel):
    """1 / (1 + exp(-(slope x margin + intercept))); ``temperature`` is the slope's inverse where there is no intercept.

    J. Platt, Probabilistic outputs for support vector machines, 1999.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["sigmoid"] = "sigmoid"
    slope: float = Field(ge=0)
    intercept: float

    def __call__(self, margins: Floats, history: Ints | None = None) -> npt.NDArray[np.float64]:
        """Margins (n,) to probabilities (n,) float64, whatever the history."""
        return 1.0 / (1.0 + np.exp(-(self.slope * margins.astype(np.float64) + self.intercept)))


class Isotonic(BaseModel):
    """Straight lines between the centres of the blocks of an isotonic regression.

    Within a block the step function would call candidates equal that the model tells apart; between centres the order
    stays strict, except beyond the first and the last. (A. Oron and N. Flournoy, Centered isotonic regression, 2017.)
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["isotonic"] = "isotonic"
    margins: tuple[float, ...] = Field(min_length=1)
    values: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rises(self) -> Isotonic:
        if len(self.margins) != len(self.values):
            raise ValueError(f"{len(self.margins)} margins for {len(self.values)} values")
        if np.any(np.diff(self.margins) <= 0) or np.any(np.diff(self.values) < 0):
            raise ValueError("margins must rise and values must not fall")
        return self

    def __call__(self, margins: Floats, history: Ints | None = None) -> npt.NDArray[np.float64]:
        """Margins (n,) to probabilities or amounts (n,), whatever the history; beyond the ends they stay what they are
        there."""
        return np.interp(margins.astype(np.float64), self.margins, self.values)


Plain = Annotated[Sigmoid | Isotonic, Field(discriminator="kind")]


class ByHistory(BaseModel):
    """One calibrator for users with fewer than ``few`` positive items in the history, and another for the rest.

    A margin orders the items of one slate; how often anything follows a slate depends on who asked.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["by_history"] = "by_history"
    few: int = Field(ge=0)
    new_users: Plain
    others: Plain

    def __call__(self, margins: Floats, history: Ints) -> npt.NDArray[np.float64]:
        """Margins and lengths of histories (n,) to probabilities or amounts (n,)."""
        return np.where(history < self.few, self.new_users(margins), self.others(margins))


AnyCalibrator = Annotated[Sigmoid | Isotonic | ByHistory, Field(discriminator="kind")]
