"""The scorer of a surface: candidates in, the weighted sum of what the ranker predicts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from remora.core.vocabulary import ItemCodes
from remora.extensions import ComponentConfig
from remora.pipeline import Candidates, FeatureRows, Query, ScoredCandidates, Scorer, Scores, StageContext
from remora.ranking.batch import Batch
from remora.ranking.candidate_columns import candidate_columns
from remora.ranking.slate_value import value_of

if TYPE_CHECKING:  # settings import the components that they name, and the ranker's libraries take seconds
    from remora.ranking.ranker import Ranker
    from remora.settings import Settings

Columns = Mapping[str, npt.NDArray[Any]]


class ObjectiveScorer:
    """Scores from columns in memory, without Python per row.

    ``item_columns`` gives the snapshot's columns of some rows; ``cross`` what depends on both sides. ``user_columns``
    are missing for a user that nothing is known of, as they were for new users in training; a source that did not run
    leaves its columns missing, as for an item that it did not find.
    """

    takes_live_rows = True  # the ranker knows which of its models do

    class Config(ComponentConfig):
        """The settings of the scorer."""

        weights: dict[str, float] = Field(
            {}, max_length=100, description="of the objectives on this surface; default: those of ranking.objectives"
        )

    @classmethod
    def check_settings(cls, config: Config, settings: Settings) -> None:
        """ValueError for weights of what is no objective, and where nothing would order a slate."""
        if unknown := sorted(set(config.weights) - set(settings.objectives)):
            raise ValueError(f"it weighs '{unknown[0]}', and the objectives are: {', '.join(settings.objectives)}")
        if config.weights and not any(config.weights.values()):
            raise ValueError("its weights are all 0: nothing would order a slate")

    @classmethod
    def from_config(cls, config: Config, context: StageContext) -> Scorer | None:
        """The trained ranker, with the surface's weights; None where none is trained yet."""
        if config.weights and isinstance(context.scorer, ObjectiveScorer):
            return context.scorer.weighted(config.weights)
        return context.scorer

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

    def weighted(self, weights: Mapping[str, float]) -> ObjectiveScorer:
        """The same ranker with other weights of its objectives; those that are not named weigh nothing."""
        return ObjectiveScorer(
            ranker=self.ranker,
            weights={name: weights.get(name, 0.0) for name in self.weights},
            item_columns=self.item_columns,
            user_columns=self.user_columns,
            cross=self.cross,
        )

    def with_live_items(self, ranker: Ranker, item_columns: Callable[[ItemCodes], Columns]) -> ObjectiveScorer:
        """The same over the items of ``item_columns``, and ``ranker`` as it is for them."""
        return ObjectiveScorer(
            ranker=ranker,
            weights=self.weights,
            item_columns=item_columns,
            user_columns=self.user_columns,
            cross=self.cross,
        )

    def score(self, query: Query, candidates: Candidates) -> Scores:
        """The slate's value of each candidate, shape (n,) float32."""
        return self.predict(query, candidates).scores

    def predict(self, query: Query, candidates: Candidates) -> ScoredCandidates:
        """The same, with the predictions that it weighs and the features that they were made from."""
        batch = self.batch(query, candidates)
        predictions = self._weighed.score(batch)  # what weighs nothing is not computed
        return ScoredCandidates(
            scores=value_of(predictions, self.weights).astype(np.float32),
            predictions=predictions,
            features=FeatureRows(schema=self.ranker.columns.schema_hash, instant=query.instant, values=batch.features),
        )

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
    """One user's value as a column of one row for all candidates; a list of numbers gives shape (1, length), one of
    texts an object."""
    if isinstance(value, list | tuple | np.ndarray):
        if any(isinstance(one, str) for one in value):
            texts = np.empty(1, object)
            texts[0] = value
            return texts
        return np.asarray(value, np.float64)[None]
    return np.array([value], object if value is None or isinstance(value, str) else np.float64)
