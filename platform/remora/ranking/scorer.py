"""The scorer of a surface: candidates in, the weighted sum of what the ranker predicts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from remora.contracts.vocabulary import ItemCodes
from remora.pipeline import Candidates, Query, Scores
from remora.ranking.batch import Batch
from remora.ranking.candidate_columns import candidate_columns
from remora.ranking.ranker import Ranker, value_of

Columns = Mapping[str, npt.NDArray[Any]]


class ObjectiveScorer:
    """Scores from columns in memory, without Python per row.

    ``item_columns`` gives the snapshot's columns of some rows; ``cross`` what depends on both sides. ``user_columns``
    are missing for a user that nothing is known of, as they were for new users in training; a source that did not run
    leaves its columns missing, as for an item that it did not find.
    """

    def __init__(
        self,
        *,
        ranker: Ranker,
        weights: Mapping[str, float],
        item_columns: Callable[[ItemCodes], Columns],
        user_columns: tuple[str, ...],
        cross: Callable[[Columns, float], Columns],
    ) -> None:
        self.ranker, self.weights, self.cross = ranker, weights, cross
        self.item_columns, self.user_columns = item_columns, user_columns
        weighed = {name for name, weight in weights.items() if weight}
        # A weight of an objective that the ranker lacks is an error that :func:`value_of` explains, so nothing is cut
        # then.
        self._weighed = ranker.select(weighed) if weighed <= set(ranker.objectives) and weighed else ranker

    def score(self, query: Query, candidates: Candidates) -> Scores:
        """The slate's value of each candidate, shape (n,) float32."""
        columns = self._weighed.score(self.batch(query, candidates))  # what weighs nothing is not computed
        return value_of(columns, self.weights).astype(np.float32)

    def batch(self, query: Query, candidates: Candidates) -> Batch:
        """What the models read of one slate: features (n, F) of n candidates. MissingInput for a column not there."""
        n = len(candidates)
        user: dict[str, Any] = {**dict.fromkeys(self.user_columns), **query.user}
        both = {name: _row(value) for name, value in user.items()}
        both |= self.item_columns(candidates.rows)
        both |= self.cross(both, query.instant.timestamp())
        found = candidate_columns(candidates)
        names = self.ranker.columns.names
        absent = {c: _MISSING for c in names if c.startswith("candidate__") and c not in found}
        return Batch(
            features=self.ranker.columns.matrix(both | found | absent, n),
            rows=candidates.rows,
            slate=np.zeros(n, np.int64),
            histories=[query.history],
        )


_MISSING = np.array([np.nan], np.float32)


def _row(value: Any) -> npt.NDArray[Any]:
    """One user's value as a column of one row for all candidates; a list gives shape (1, length)."""
    if isinstance(value, list | tuple | np.ndarray):
        return np.asarray(value, np.float64)[None]
    return np.array([value], object if value is None or isinstance(value, str) else np.float64)
