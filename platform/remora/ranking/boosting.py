"""Gradient-boosted trees of one objective: what they learn from, how, and where they stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xgboost

from remora.ranking.models.trees import Trees

VALIDATION = "validation"


class Head(NamedTuple):
    """How XGBoost learns a label, and by what it stops."""

    objective: str
    metric: str
    larger_is_better: bool

    def best(self, history: Sequence[float]) -> float:
        """The metric of the best round."""
        return max(history) if self.larger_is_better else min(history)


LISTWISE = Head("rank:ndcg", "ndcg@10", True)
PROBABILITY = Head("binary:logistic", "logloss", False)
AMOUNT = Head("reg:squarederror", "rmse", False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Groups:
    """Rows of ranked groups: ``features`` (n, F) float32, ``labels`` (n,) gains >= 0, ``groups`` (n,) int64; what each
    row counts (n,), which the listwise head leaves unread."""

    features: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    groups: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float32]

    def where(self, kept: npt.NDArray[np.bool_]) -> Groups:
        """The rows (n,) that are kept."""
        return Groups(
            features=self.features[kept],
            labels=self.labels[kept],
            groups=self.groups[kept],
            counts=self.counts[kept],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SlateRows:
    """Rows of slates for all objectives: ``features`` (n, F) float32, ``labels`` (n,) gains >= 0 by objective,
    ``groups`` (n,) int64, ascending; what each row counts (n,)."""

    features: npt.NDArray[np.float32]
    labels: Mapping[str, npt.NDArray[np.float32]]
    groups: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float32]

    def of(self, objective: str, head: Head) -> Groups:
        """What one objective learns from; a listwise head learns nothing from a group without a positive."""
        label = self.labels[objective]
        found = Groups(features=self.features, labels=label, groups=self.groups, counts=self.counts)
        if head != LISTWISE:
            return found
        return found.where(np.isin(self.groups, self.groups[label > 0]))


@dataclass(frozen=True, kw_only=True)
class Config:
    """How one objective is boosted; the listwise head (LambdaMART: Burges, From RankNet to LambdaRank to
    LambdaMART, 2010) has linear gains.

    ``kinds`` (F) are ``q`` for numbers and ``c`` for categories, ``monotone`` (F) 1, -1 or 0.
    """

    trees: Trees.Config
    head: Head
    kinds: tuple[str, ...]
    monotone: tuple[int, ...]
    refit: bool
    seed: int

    @property
    def parameters(self) -> dict[str, Any]:
        """As XGBoost names them."""
        chosen = self.trees
        names = {"max_depth", "learning_rate", "min_child_weight", "subsample", "colsample_bytree"}
        listwise = {
            "ndcg_exp_gain": False,
            "lambdarank_pair_method": chosen.pair_method,
            "lambdarank_num_pair_per_sample": chosen.pairs_per_sample,
            "lambdarank_unbiased": chosen.position_debiasing,
        }
        return {
            "objective": self.head.objective,
            "eval_metric": self.head.metric,
            "tree_method": "hist",
            "nthread": 1,
            "seed": self.seed,
            **({"monotone_constraints": self.monotone} if any(self.monotone) else {}),
            **(listwise if self.head == LISTWISE else {}),
            **chosen.model_dump(include=names),
        }

    def matrix(self, groups: Groups, ref: xgboost.DMatrix | None = None) -> xgboost.QuantileDMatrix:
        """The groups (n, F) as XGBoost reads them; bins are those of ``ref`` where it is given."""
        by_group = {"qid": groups.groups} if self.head == LISTWISE else {"weight": groups.counts}
        kinds = list(self.kinds) if self.trees.categorical else ["q"] * len(self.kinds)
        return xgboost.QuantileDMatrix(
            groups.features, label=groups.labels, ref=ref, feature_types=kinds, enable_categorical=True, **by_group
        )


@dataclass(frozen=True, kw_only=True)
class BoostedTrees:
    """The trees of the rounds that were best on validation; as many from both windows, or the same without a refit; and
    the head's metric on the validation groups after each round of those that had not seen them."""

    chosen: xgboost.Booster
    booster: xgboost.Booster
    history: tuple[float, ...]


def boost_in_process(config: Config, train: Groups, validation: Groups) -> BoostedTrees:
    """The same in this process, from the beginning: for many small fits, each of which would wait for its workers."""
    return fit_trees(config, train, validation, History([], config))


def fit_trees(
    config: Config, fit: Groups, validation: Groups, history: History, begun: xgboost.Booster | None = None
) -> BoostedTrees:
    """Boost in this process, or in one of the workers of a run; on from the trees that are ``begun``, if any."""
    matrix = config.matrix(fit)
    booster = xgboost.train(
        config.parameters,
        matrix,
        num_boost_round=config.trees.num_boost_round - (begun.num_boosted_rounds() if begun else 0),
        evals=[(config.matrix(validation, ref=matrix), VALIDATION)],
        xgb_model=begun,
        verbose_eval=False,
        callbacks=[
            history,
            xgboost.callback.EarlyStopping(
                config.trees.early_stopping_rounds,
                metric_name=config.head.metric,
                data_name=VALIDATION,
                maximize=config.head.larger_is_better,
            ),
        ],
    )
    # XGBoost keeps the rounds after the best one, which early stopping waited through.
    best = again = booster[: booster.best_iteration + 1]
    if config.refit:
        again = xgboost.train(
            config.parameters, config.matrix(_both(fit, validation)), num_boost_round=best.num_boosted_rounds()
        )
    return BoostedTrees(chosen=best, booster=again, history=tuple(history.values))


def _both(first: Groups, then: Groups) -> Groups:
    """The groups of ``then`` after those of ``first``, numbered on from them."""
    return Groups(
        features=np.concatenate([first.features, then.features]),
        labels=np.concatenate([first.labels, then.labels]),
        groups=np.concatenate([first.groups, then.groups + first.groups.max(initial=-1) + 1]),
        counts=np.concatenate([first.counts, then.counts]),
    )


class History(xgboost.callback.TrainingCallback):
    """The metric on validation after each round."""

    def __init__(self, values: Sequence[float], config: Config) -> None:
        self.values, self.config = list(values), config

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Any) -> bool:
        """See XGBoost: False continues."""
        self.values.append(float(evals_log[VALIDATION][self.config.head.metric][-1]))
        return False
