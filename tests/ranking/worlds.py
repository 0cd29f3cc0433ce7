"""Small slates whose outcome is known to whoever reads all that a ranker reads."""

from __future__ import annotations

import numpy as np
import torch
import xgboost

from remora.ranking.batch import Batch
from remora.ranking.columns import RankerColumn, RankerColumns
from remora.ranking.models.trees import Trees
from remora.ranking.slates import Slates
from remora.settings.components import RankingModelChoice

COLUMNS = RankerColumns(
    columns=(
        RankerColumn(name="candidate__place"),
        RankerColumn(name="item_profile__kind", categories=("a", "b", "c")),
        RankerColumn(name="item_activity__count"),
    )
)
OBJECTIVES = ("engaged", "liked")
ITEMS, WIDTH = 40, 6

TREES, NETWORK = "trees", "network"
MODELS = {name: RankingModelChoice.model_validate(name) for name in (TREES, NETWORK)}
TYPES = {name: name for name in MODELS}


def vectors(seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(ITEMS, WIDTH)).astype(np.float32))


def slates(count: int, seed: int, size: int = 12) -> Slates:
    """A candidate is engaged with when it is like the history, and liked when it is of kind `a` besides."""
    draw, table = np.random.default_rng(seed), vectors().numpy()
    rows = np.concatenate([draw.choice(ITEMS, size, replace=False) for _ in range(count)]).astype(np.int32)
    slate = np.repeat(np.arange(count), size)
    histories = [draw.choice(ITEMS, draw.integers(1, 5)).astype(np.int32) for _ in range(count)]
    like = np.array([(table[row] * table[histories[s]].mean(axis=0)).sum() for row, s in zip(rows, slate, strict=True)])
    kind = draw.integers(0, 3, len(rows)).astype(np.float32)
    engaged = like > 0.8
    number = draw.lognormal(size=len(rows)).astype(np.float32)
    number[draw.random(len(rows)) < 0.2] = np.nan
    index = np.tile(np.arange(1, size + 1), count)
    return Slates(
        batch=Batch(
            features=np.stack([index, kind, number], axis=1).astype(np.float32),
            rows=rows,
            slate=slate,
            histories=histories,
        ),
        labels={"engaged": engaged.astype(np.float32), "liked": (engaged & (kind == 0)).astype(np.float32)},
        sampled=np.where(engaged, 1.0, 0.5).astype(np.float32),
        history_events=np.array([len(history) for history in histories], np.int64),
    )


def trees(train: Slates) -> Trees:
    """A few small trees for each objective."""
    boosters = {}
    for name in OBJECTIVES:
        matrix = xgboost.DMatrix(
            train.batch.features, train.labels[name], feature_types=COLUMNS.kinds, enable_categorical=True
        )
        boosters[name] = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, matrix, 8)
    return Trees(boosters)
