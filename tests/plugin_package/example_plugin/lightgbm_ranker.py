"""A ranking model with LightGBM: a booster for each objective, kept in LightGBM's text format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from remora.extensions import ComponentConfig
from remora.settings.tuning import Choice, Range

if TYPE_CHECKING:
    from pathlib import Path

    import lightgbm

    from remora.ranking.batch import Batch
    from remora.ranking.learning import LearningResult, RankerInputs, RankingData
    from remora.ranking.model import Margins
    from remora.ranking.slates import Slates
    from remora.settings.ranking import ObjectiveSettings

METRICS = {"lambdarank": "ndcg", "binary": "binary_logloss", "regression": "l2"}


@dataclass(frozen=True)
class LightGBMRanker:
    """Boosters by objective, in the objectives' order; one thread."""

    class Config(ComponentConfig):
        """The settings of the model."""

        rounds: int = Field(200, ge=1, le=100_000, description="most trees of an objective")
        patience: int = Field(20, ge=1, le=100_000, description="rounds without a better validation")
        num_leaves: int = Field(15, ge=2, le=10_000, description="leaves of a tree")
        learning_rate: float = Field(0.1, gt=0, le=10, description="what each tree's answer is multiplied by")

    boosters: Mapping[str, lightgbm.Booster]

    @classmethod
    def learn(cls, config: Config, data: RankingData) -> LearningResult:
        """The rounds that are best on validation, and as many from both windows."""
        from remora.ranking.learning import Curve, LearningResult
        from remora.ranking.slates import both

        chosen, final, curves, windows = {}, {}, {}, data.windows
        for name, objective in data.objectives.items():
            parameters = parameters_of(config, objective, data.seed)
            chosen[name], history = fitted(parameters, config, windows.train, windows.validation, name)
            curves[name] = Curve(step="round", values=history)
            if data.refit:
                rounds = config.model_copy(update={"rounds": chosen[name].best_iteration})
                final[name], _ = fitted(parameters, rounds, both(windows.train, windows.validation), None, name)
        return LearningResult(chosen=cls(chosen), final=cls(final or chosen), curves=curves)

    def save(self, folder: Path) -> None:
        """``<objective>.txt`` for each."""
        for name, booster in self.boosters.items():
            booster.save_model(folder / f"{name}.txt")

    @classmethod
    def load(cls, config: Config, folder: Path, inputs: RankerInputs) -> LightGBMRanker:
        """What :meth:`save` wrote."""
        import lightgbm

        return cls({name: lightgbm.Booster(model_file=folder / f"{name}.txt") for name in inputs.objectives})

    def margins(self, batch: Batch) -> Margins:
        """Shape (n, objectives)."""
        columns = [one.predict(batch.features, raw_score=True, num_threads=1) for one in self.boosters.values()]
        return np.stack(columns, axis=1).astype(np.float32)

    def contributions(self, batch: Batch, objective: str) -> np.ndarray:
        """TreeSHAP, shape (n, F + 1)."""
        found = self.boosters[objective].predict(batch.features, pred_contrib=True, num_threads=1)
        return np.asarray(found, np.float32)

    @classmethod
    def search_space(cls) -> dict[str, Range | Choice]:
        """What `remora tune ranking` tries."""
        return {"num_leaves": Choice(choices=(7, 15, 31)), "learning_rate": Range(low=0.02, high=0.3, log=True)}


def parameters_of(config: LightGBMRanker.Config, objective: ObjectiveSettings, seed: int) -> dict[str, Any]:
    """As LightGBM names them."""
    head = "regression" if objective.label == "value" else "binary"
    head = "lambdarank" if objective.loss == "listwise" and objective.label != "value" else head
    return {
        "objective": head,
        "metric": METRICS[head],
        "eval_at": [10],
        "num_leaves": config.num_leaves,
        "learning_rate": config.learning_rate,
        "num_threads": 1,
        "seed": seed,
        "deterministic": True,
        "verbosity": -1,
    }


def fitted(
    parameters: dict[str, Any], config: LightGBMRanker.Config, train: Slates, validation: Slates | None, name: str
) -> tuple[lightgbm.Booster, tuple[float, ...]]:
    """A booster of one objective, and its metric on validation after each round."""
    import lightgbm

    rows = dataset(train, name, parameters["objective"])
    history: dict[str, Any] = {}
    callbacks = [lightgbm.record_evaluation(history)]
    if validation is not None:
        callbacks.append(lightgbm.early_stopping(config.patience, verbose=False))
    judged = [] if validation is None else [dataset(validation, name, parameters["objective"], rows)]
    booster = lightgbm.train(
        parameters, rows, config.rounds, valid_sets=judged, valid_names=["judged"] * len(judged), callbacks=callbacks
    )
    return booster, tuple(next(iter(history["judged"].values()))) if judged else ()


def dataset(slates: Slates, name: str, head: str, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    """The rows of the slates with a label; a list learns nothing from a slate without a positive."""
    import lightgbm

    label = slates.labels[name]
    if head != "lambdarank":
        return lightgbm.Dataset(slates.batch.features, label, weight=slates.counts, reference=reference)
    slates = slates.with_any(label)
    groups = np.diff(slates.batch.begins)
    return lightgbm.Dataset(slates.batch.features, slates.labels[name] > 0, group=groups, reference=reference)
