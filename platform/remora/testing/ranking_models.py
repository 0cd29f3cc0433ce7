"""What every ranking model promises: a test inherits :class:`RankingModelContract` and names the model. Needs pytest.

The slates are such that one feature says what is bought and the likeness of items to the history what is liked.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch

from remora.extensions import ComponentConfig
from remora.extensions.kinds import RANKING_MODEL
from remora.ranking.batch import Batch
from remora.ranking.columns import RankerColumn, RankerColumns
from remora.ranking.learning import LearningResult, RankerInputs, RankingData
from remora.ranking.model import ExplainedModel, RankingModel, SelectableModel
from remora.ranking.slates import Slates
from remora.ranking.windows import RankingWindows
from remora.registry.manifest import FORMATS
from remora.settings.ranking import ObjectiveSettings

__all__ = ["COLUMNS", "OBJECTIVES", "RankingModelContract", "some_ranking_data", "some_slates"]

OBJECTIVES = {"bought": ObjectiveSettings(events=("buy",)), "liked": ObjectiveSettings(events=("like",))}
COLUMNS = RankerColumns(
    columns=(
        RankerColumn(name="candidate__place"),
        RankerColumn(name="item_profile__kind", categories=("a", "b", "c")),
        RankerColumn(name="item_activity__count"),
    )
)
ITEMS, WIDTH, CANDIDATES = 40, 6, 12


def some_slates(count: int, seed: int) -> Slates:
    """``count`` slates of twelve candidates, with features that are missing and users without a history."""
    draw, vectors = np.random.default_rng(seed), _vectors().numpy()
    rows = np.concatenate([draw.permutation(ITEMS)[:CANDIDATES] for _ in range(count)]).astype(np.int32)
    slate = np.repeat(np.arange(count), CANDIDATES)
    histories = [draw.choice(ITEMS, draw.integers(0, 5)).astype(np.int32) for _ in range(count)]
    profiles = np.stack([vectors[one].mean(0) if len(one) else np.zeros(WIDTH) for one in histories])
    number = draw.normal(size=len(rows)).astype(np.float32)
    bought, liked = number > 0.7, (vectors[rows] * profiles[slate]).sum(1) > 0.8
    number[draw.random(len(rows)) < 0.1] = np.nan
    kind, place = draw.integers(0, 3, len(rows)), np.tile(np.arange(1, CANDIDATES + 1), count)
    return Slates(
        batch=Batch(
            features=np.stack([place, kind, number], axis=1).astype(np.float32),
            rows=rows,
            slate=slate,
            histories=histories,
        ),
        labels={"bought": bought.astype(np.float32), "liked": liked.astype(np.float32)},
        sampled=np.ones(len(rows), np.float32),
        history_events=np.array([len(one) for one in histories], np.int64),
    )


def some_ranking_data() -> RankingData:
    """What a model learns from in this process: no run of Ray Train."""
    windows = RankingWindows(columns=COLUMNS, train=some_slates(120, seed=1), validation=some_slates(60, seed=2))
    return RankingData(windows=windows, objectives=OBJECTIVES, item_vectors=_vectors())


class RankingModelContract:
    """Of ranking models: a margin for every candidate and objective, the same once it is loaded from a bundle.

    A subclass names the ``component``, and overrides ``config`` for other settings than the default.
    """

    component: ClassVar[Any]

    def config(self) -> ComponentConfig:
        """The model's own settings."""
        return RANKING_MODEL.config_of(self.component)()

    @pytest.fixture(scope="class")
    def learned(self, request: pytest.FixtureRequest) -> LearningResult:
        """What it learns of :func:`some_ranking_data`, once for all tests of the class."""
        own = request.cls()
        result: LearningResult = own.component.learn(own.config(), some_ranking_data())
        return result

    @pytest.fixture
    def batch(self) -> Batch:
        """Candidates of later slates."""
        return some_slates(9, seed=3).batch

    def margins(self, model: RankingModel, batch: Batch) -> npt.NDArray[np.float32]:
        """Checked for their type and shape."""
        found = model.margins(batch)
        assert found.dtype == np.float32
        assert found.ndim == 2
        assert len(found) == len(batch)
        assert np.isfinite(found).all()
        return found

    def test_each_candidate_has_a_margin_for_each_objective(self, learned: LearningResult, batch: Batch) -> None:
        """Finite, float32, of both models that learning gives."""
        for model in (learned.chosen, learned.final):
            assert self.margins(model, batch).shape == (len(batch), len(OBJECTIVES))

    def test_what_depends_on_one_feature_is_learned(self, learned: LearningResult) -> None:
        """A candidate that is bought has a larger margin than one that is not, in most pairs."""
        later = some_slates(40, seed=4)
        margin, bought = self.margins(learned.final, later.batch)[:, 0], later.labels["bought"] > 0
        assert (margin[bought, None] > margin[None, ~bought]).mean() > 0.7

    def test_a_slate_is_scored_alike_alone_and_among_others(self, learned: LearningResult, batch: Batch) -> None:
        """Serving scores one, an evaluation thousands."""
        together = self.margins(learned.final, batch)
        for slate in range(len(batch.histories)):
            chosen = np.array([slate])
            alone = self.margins(learned.final, batch.take(chosen))
            np.testing.assert_allclose(alone, together[batch.indices(chosen)], rtol=1e-4, atol=1e-5)

    def test_it_is_loaded_from_a_bundle_as_it_was_saved(
        self, learned: LearningResult, batch: Batch, tmp_path: Path
    ) -> None:
        """From files that execute nothing when they are read."""
        learned.final.save(tmp_path)
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert files
        assert {file.suffix for file in files} <= set(FORMATS)
        inputs = RankerInputs(columns=COLUMNS, objectives=tuple(OBJECTIVES), item_vectors=_vectors())
        loaded = self.component.load(self.config(), tmp_path, inputs)
        np.testing.assert_allclose(self.margins(loaded, batch), self.margins(learned.final, batch), rtol=1e-6)

    def test_it_crosses_process_borders(self, learned: LearningResult, batch: Batch) -> None:
        """A replay runs in Ray's workers."""
        copied = pickle.loads(pickle.dumps(learned.final))
        np.testing.assert_allclose(self.margins(copied, batch), self.margins(learned.final, batch), rtol=1e-6)

    def test_an_explanation_adds_up_to_the_margin(self, learned: LearningResult, batch: Batch) -> None:
        """Of a model that explains itself: what each feature adds, and the base."""
        if not isinstance(learned.final, ExplainedModel):
            return
        margins = self.margins(learned.final, batch)
        for index, objective in enumerate(OBJECTIVES):
            parts = learned.final.contributions(batch, objective)
            assert parts.shape == (len(batch), len(COLUMNS.columns) + 1)
            np.testing.assert_allclose(parts.sum(axis=1), margins[:, index], rtol=1e-3, atol=1e-4)

    def test_without_an_objective_the_others_are_the_same(self, learned: LearningResult, batch: Batch) -> None:
        """Of a model that can leave some out: those of weight 0 are not computed."""
        if not isinstance(learned.final, SelectableModel):
            return
        alone = self.margins(learned.final.select([1]), batch)
        np.testing.assert_allclose(alone, self.margins(learned.final, batch)[:, [1]], rtol=1e-5, atol=1e-6)


def _vectors() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(ITEMS, WIDTH)).astype(np.float32))
