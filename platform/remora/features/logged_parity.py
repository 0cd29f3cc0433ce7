"""Feature rows as they were logged at serving beside the same rows computed again: what differs, by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from remora.features.parity import SAME, ParityDifference, likely_cause

Floats = npt.NDArray[np.float32]


class LoggedParityReport(BaseModel):
    """``requests`` and their ``rows`` that were compared, in how many ``columns``; how many requests were ``left_out``
    and why; and what differs, ``example`` being an item of a request."""

    model_config = ConfigDict(frozen=True)

    requests: int
    rows: int
    columns: int
    left_out: dict[str, int]
    differences: tuple[ParityDifference, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparedRows:
    """n rows of F columns: ``logged`` and ``recomputed`` (n, F) float32, NaN for missing, and what each row is of.

    ``categories`` of each column, None for a number: a value of such a column is an index among them.
    """

    names: Sequence[str]
    categories: Sequence[tuple[str, ...] | None]
    keys: Sequence[str]
    logged: Floats
    recomputed: Floats

    def differences(self) -> list[ParityDifference]:
        """One for each column that differs: whole numbers must be equal, others to a millionth of the larger."""
        wrong = _differ(self.logged, self.recomputed)
        columns = np.flatnonzero(wrong.any(axis=0)).tolist()
        return [self._of_column(index, np.flatnonzero(wrong[:, index])) for index in columns]

    def _of_column(self, index: int, rows: npt.NDArray[np.intp]) -> ParityDifference:
        pairs = [
            (self._value(index, self.logged[row, index]), self._value(index, self.recomputed[row, index]))
            for row in rows
        ]
        served, recomputed = pairs[0]
        return ParityDifference(
            column=self.names[index],
            rows=len(rows),
            example=self.keys[rows[0]],
            served=str(served),
            recomputed=str(recomputed),
            likely_cause=likely_cause(pairs),
        )

    def _value(self, index: int, value: np.float32) -> Any:
        if np.isnan(value):
            return None
        texts = self.categories[index]
        return float(value) if texts is None else texts[int(value)]


def _differ(one: Floats, other: Floats) -> npt.NDArray[np.bool_]:
    a, b = one.astype(np.float64), other.astype(np.float64)
    whole = (a == np.round(a)) & (b == np.round(b))
    bound = np.where(whole, 0.0, SAME * np.maximum(np.abs(a), np.abs(b)))
    return ~((np.abs(a - b) <= bound) | (np.isnan(a) & np.isnan(b)))
