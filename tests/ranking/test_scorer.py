"""The scorer of a surface: weights make one number of the objectives, and no more is run than they ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ranking.worlds import COLUMNS, ITEMS, OBJECTIVES, TREES, TYPES, slates, trees

from remora.core.errors import DataError
from remora.pipeline import Candidates, Query, Retrieved
from remora.ranking.batch import Batch
from remora.ranking.blend import Blend
from remora.ranking.calibration import Sigmoid
from remora.ranking.models.trees import Trees
from remora.ranking.ranker import Ranker, RankerSpec
from remora.ranking.scorer import ObjectiveScorer
from remora.ranking.slate_value import value_of

QUERY = Query(request_id="r", surface="home_feed", n=3, instant=datetime(2026, 1, 1, tzinfo=UTC))
WEIGHTS = st.dictionaries(st.sampled_from(OBJECTIVES), st.sampled_from([0.0, 0.5, 2.0]))


def _ranker() -> Ranker:
    calibrators = {name: Sigmoid(slope=1.0, intercept=-0.5) for name in OBJECTIVES}
    blend = Blend.of_one(TREES, len(OBJECTIVES))
    return Ranker(
        spec=RankerSpec(columns=COLUMNS, calibrators=calibrators, blend=blend, types=TYPES),
        models={TREES: trees(slates(60, seed=1))},
    )


RANKER = _ranker()


def scorer(weights: dict[str, float]) -> ObjectiveScorer:
    kinds = np.array(["a", "b", "c"], object)

    def items(rows: np.ndarray) -> dict[str, Any]:
        return {"item_profile__kind": kinds[rows % 3], "item_activity__count": rows.astype(np.float64)}

    return ObjectiveScorer(
        ranker=RANKER, weights=weights, item_columns=items, user_columns=(), cross=lambda columns, instant: {}
    )


def candidates() -> Candidates:
    rows = np.arange(ITEMS, dtype=np.int32)
    return Candidates.merge([("nearest_items", Retrieved(rows, np.linspace(1, 0, ITEMS, dtype=np.float32)))])


def test_a_user_may_have_a_list_of_texts() -> None:
    """As the column of a profile, or what a transform gives; trees read none."""
    chosen, tagged = scorer(dict.fromkeys(OBJECTIVES, 1.0)), replace(QUERY, user={"user_profile__tags": ["a", "b"]})
    np.testing.assert_array_equal(chosen.score(tagged, candidates()), chosen.score(QUERY, candidates()))


@given(WEIGHTS)
def test_a_score_is_the_weighted_sum_of_all_that_the_ranker_predicts(weights: dict[str, float]) -> None:
    chosen = scorer(weights)
    whole = value_of(RANKER.score(chosen.batch(QUERY, candidates())), weights)
    np.testing.assert_array_equal(chosen.score(QUERY, candidates()), whole.astype(np.float32))


def test_what_it_says_that_it_read_is_what_the_model_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[np.ndarray] = []

    def margins(model: Trees, batch: Batch) -> np.ndarray:
        read.append(batch.features.copy())
        return np.zeros((len(batch), 1), np.float32)

    monkeypatch.setattr(Trees, "margins", margins)
    found = scorer({"liked": 1.0}).predict(QUERY, candidates())
    [batch] = read
    assert found.features.values.tobytes() == batch.tobytes()
    assert (found.features.schema, found.features.instant) == (COLUMNS.schema_hash, QUERY.instant)
    assert {name: of.shape for name, of in found.predictions.items()} == {"liked": (ITEMS,)}  # what it weighs


def test_a_weight_for_what_is_not_predicted_names_what_is() -> None:
    with pytest.raises(DataError, match=r"predicts engaged, liked, and .* weighs bought"):
        scorer({"liked": 1.0, "bought": 1.0}).score(QUERY, candidates())
