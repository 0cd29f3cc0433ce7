"""Scores candidates by gradient-boosted trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from remora.contracts.vocabulary import Rows
from remora.pipeline import Candidates, Query, Scores
from remora.ranking.candidate_columns import candidate_columns
from remora.ranking.columns import RankerColumns

Columns = Mapping[str, npt.NDArray[Any]]


class TreeScorer:
    """The trees' margin for each candidate, from columns in memory; one thread, no Python per row.

    ``item_columns`` gives the snapshot's columns of some rows; ``cross`` what depends on both sides. ``user_columns``
    are missing for a user that nothing is known of, as they were for new users in training; a source that did not run
    leaves its columns missing, as for an item that it did not find.
    """

    def __init__(
        self,
        *,
        booster: xgboost.Booster,
        columns: RankerColumns,
        item_columns: Callable[[Rows], Columns],
        user_columns: tuple[str, ...],
        cross: Callable[[Columns, float], Columns],
    ) -> None:
        booster.set_param({"nthread": 1})
        self.booster, self.columns, self.cross = booster, columns, cross
        self.item_columns, self.user_columns = item_columns, user_columns

    def score(self, query: Query, candidates: Candidates) -> Scores:
        """Shape (n,) float32."""
        return self.booster.inplace_predict(self.matrix(query, candidates), predict_type="margin").astype(np.float32)

    def matrix(self, query: Query, candidates: Candidates) -> npt.NDArray[np.float32]:
        """The trees' input, shape (n, F)."""
        n = len(candidates)
        user: dict[str, Any] = {**dict.fromkeys(self.user_columns), **query.user}
        both = {name: _repeated(value, n) for name, value in user.items()}
        both |= self.item_columns(candidates.rows)
        both |= self.cross(both, query.instant.timestamp())
        found = candidate_columns(candidates)
        absent = {c: _MISSING for c in self.columns.names if c.startswith("candidate__") and c not in found}
        return self.columns.matrix(both | found | absent, n)


_MISSING = np.array([np.nan], np.float32)


def _repeated(value: Any, n: int) -> npt.NDArray[Any]:
    """One user's value as a column of n rows that share its memory; a list gives shape (n, length)."""
    if isinstance(value, list | tuple | np.ndarray):
        row = np.asarray(value, np.float64)
        return np.broadcast_to(row, (n, *row.shape))
    return np.broadcast_to(np.array([value], object if value is None or isinstance(value, str) else np.float64), (n,))
