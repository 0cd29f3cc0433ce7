"""Gradient-boosted trees, one model for each objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.settings.tuning import Choice, Range

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path

    import numpy.typing as npt
    import xgboost

    from remora.ranking.batch import Batch
    from remora.ranking.learning import LearningResult, RankerInputs, RankingData
    from remora.ranking.model import Margins
    from remora.settings import Settings


@dataclass(frozen=True)
class Trees:
    """XGBoost: boosters by objective, in the objectives' order; one thread."""

    class Config(ComponentConfig):
        """The settings of the model."""

        num_boost_round: int = Field(400, ge=1, le=100_000, description="most trees of an objective")
        early_stopping_rounds: int = Field(
            30, ge=1, le=100_000, description="rounds without a better validation after which training ends"
        )
        max_depth: int = Field(5, ge=1, le=30, description="levels of a tree")
        learning_rate: float = Field(0.06, gt=0, le=10, description="what each tree's answer is multiplied by")
        min_child_weight: float = Field(0.1, ge=0, le=1e9, description="least sum of hessians in a leaf")
        subsample: float = Field(0.8, gt=0, le=1, description="share of rows that a tree learns from")
        colsample_bytree: float = Field(0.6, gt=0, le=1, description="share of features that a tree may use")
        pair_method: Literal["topk", "mean"] = Field(
            "topk", description="how LambdaMART forms pairs of a listwise head"
        )
        pairs_per_sample: int = Field(
            20, ge=1, le=10_000, description="topk: depth of the list; mean: pairs of each candidate"
        )
        position_debiasing: bool = Field(
            False,
            description="estimate how position moves clicks (unbiased LambdaMART); needs ranking.candidates: logged",
        )
        categorical: bool = Field(True, description="split text features by sets of categories instead of by frequency")
        monotone_constraints: dict[str, Literal[-1, 1]] = Field(
            {}, description="feature -> 1 where more of it may only raise a score, -1 where only lower it"
        )

    takes_live_rows = True

    boosters: Mapping[str, xgboost.Booster]

    def __post_init__(self) -> None:
        for booster in self.boosters.values():
            # A replica runs as many stages at once as it has threads; XGBoost's own would wait for the same cores.
            booster.set_param({"nthread": 1})

    @classmethod
    def check_settings(cls, config: Config, settings: Settings) -> None:
        """ValueError where positions are to be estimated without slates that were shown."""
        if config.position_debiasing and settings.ranking.candidates != "logged":
            raise ValueError(
                "position_debiasing needs ranking.candidates: logged, for only what was shown has a position that "
                "moved clicks"
            )

    @classmethod
    def learn(cls, config: Config, data: RankingData) -> LearningResult:
        """On Ray Train, an objective after another; the rounds of each are those that are best on validation."""
        from remora.ranking.learning import Curve, LearningResult
        from remora.ranking.objective_trees import boosted

        found = boosted(config, data)
        return LearningResult(
            chosen=cls({name: one.chosen for name, one in found.items()}),
            final=cls({name: one.booster for name, one in found.items()}),
            curves={name: Curve(step="round", values=one.history) for name, one in found.items()},
        )

    def save(self, folder: Path) -> None:
        """``trees.<objective>.ubj`` for each."""
        for name, booster in self.boosters.items():
            booster.save_model(str(folder / file(name)))

    @classmethod
    def load(cls, config: Config, folder: Path, inputs: RankerInputs) -> Trees:
        """What :meth:`save` wrote."""
        import xgboost

        return cls({name: xgboost.Booster(model_file=str(folder / file(name))) for name in inputs.objectives})

    def margins(self, batch: Batch) -> Margins:
        """Shape (n, objectives): what the leaves add up to."""
        # In place: a DMatrix would cost a third more, 1.2 ms for 500 candidates where this takes 0.9.
        columns = [b.inplace_predict(batch.features, predict_type="margin") for b in self.boosters.values()]
        return np.stack(columns, axis=1).astype(np.float32)

    def select(self, indices: Sequence[int]) -> Trees:
        """The trees of the objectives at these indices; the others are not run."""
        names = tuple(self.boosters)
        return Trees({names[index]: self.boosters[names[index]] for index in indices})

    def contributions(self, batch: Batch, objective: str) -> npt.NDArray[np.float32]:
        """Exact TreeSHAP of one objective's margin, shape (n, F + 1); the last column is what every row has in common.

        A row adds up to its margin. S. Lundberg et al., From local explanations to global understanding, 2020.
        """
        import xgboost

        booster = self.boosters[objective]
        matrix = xgboost.DMatrix(batch.features, nthread=1, feature_types=booster.feature_types)
        return booster.predict(matrix, pred_contribs=True)

    @classmethod
    def search_space(cls) -> dict[str, Range | Choice]:
        """See :mod:`remora.ranking.trials`."""
        return {
            "max_depth": Range(low=3, high=9),
            "learning_rate": Range(low=0.02, high=0.2, log=True),
            "min_child_weight": Range(low=0.01, high=10.0, log=True),
            "subsample": Range(low=0.5, high=1.0),
            "colsample_bytree": Range(low=0.3, high=1.0),
            "pairs_per_sample": Choice(choices=(5, 10, 20, 40)),
            "categorical": Choice(choices=(True, False)),
        }

    @classmethod
    def fixed_fields(cls) -> frozenset[str]:
        """See :mod:`remora.ranking.trials`."""
        return frozenset({"num_boost_round", "early_stopping_rounds", "monotone_constraints"})

    @classmethod
    def stage_count(cls, config: Config) -> int:
        """See :mod:`remora.ranking.trials`."""
        from remora.ranking.objective_trees import ROUNDS_AT_ONCE

        return max(1, config.num_boost_round // ROUNDS_AT_ONCE)

    @classmethod
    def stages(cls, config: Config, data: RankingData) -> Iterator[Trees]:
        """So many more rounds of each objective at a time."""
        from remora.ranking.objective_trees import boosters_by_stage

        for boosters in boosters_by_stage(config, data, cls.stage_count(config)):
            yield cls(boosters)


def file(objective: str) -> str:
    """The file of one objective's trees."""
    return f"trees.{objective}.ubj"
