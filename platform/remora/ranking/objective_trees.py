"""The trees of each objective: what they read of past slates, and how they are boosted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import xgboost

from remora.core.errors import SettingsError
from remora.ranking.boosting import (
    AMOUNT,
    LISTWISE,
    PROBABILITY,
    BoostedTrees,
    Config,
    Head,
    SlateRows,
    boost_in_process,
)
from remora.ranking.boosting_run import boost
from remora.ranking.columns import RankerColumns
from remora.ranking.learning import RankingData
from remora.ranking.models.trees import Trees
from remora.ranking.slates import Slates
from remora.settings.ranking import ObjectiveSettings

ROUNDS_AT_ONCE = 20
"""Between two looks at a trial of a search."""


def boosted(trees: Trees.Config, data: RankingData) -> dict[str, BoostedTrees]:
    """By objective; on Ray Train where ``data`` has a run, else in this process."""
    configs = {name: boosting_of(trees, objective, data) for name, objective in data.objectives.items()}
    train, validation = rows(data.windows.train), rows(data.windows.validation)
    if data.run is not None:
        return boost(data.run, configs, train, validation)
    return {
        name: boost_in_process(config, train.of(name, config.head), validation.of(name, config.head))
        for name, config in configs.items()
    }


def boosters_by_stage(trees: Trees.Config, data: RankingData, stages: int) -> Iterator[dict[str, xgboost.Booster]]:
    """By objective, after :data:`ROUNDS_AT_ONCE` more rounds each time; in this process."""
    boosters: dict[str, xgboost.Booster] = {}
    matrices, train = {}, rows(data.windows.train)
    for name, objective in data.objectives.items():
        config = boosting_of(trees, objective, data)
        matrices[name] = config, config.matrix(train.of(name, config.head))
    for _ in range(stages):
        for name, (config, matrix) in matrices.items():
            boosters[name] = xgboost.train(
                config.parameters, matrix, num_boost_round=ROUNDS_AT_ONCE, xgb_model=boosters.get(name)
            )
        yield dict(boosters)


def boosting_of(trees: Trees.Config, objective: ObjectiveSettings, data: RankingData) -> Config:
    """How the trees of one objective are boosted."""
    columns = data.windows.columns
    return Config(
        trees=trees,
        head=head_of(objective),
        kinds=tuple(columns.kinds),
        monotone=tuple(monotone(trees.monotone_constraints, columns)),
        refit=data.refit,
        seed=data.seed,
    )


def head_of(objective: ObjectiveSettings) -> Head:
    """How the trees learn it."""
    if objective.loss == "listwise":
        return LISTWISE
    return AMOUNT if objective.label == "value" else PROBABILITY


def monotone(constraints: Mapping[str, int], columns: RankerColumns) -> list[int]:
    """By column 1, -1 or 0; SettingsError for an unknown feature, or a category, which has no direction."""
    known = [column.name for column in columns.columns if column.categories is None]
    if unknown := sorted(set(constraints) - set(known)):
        raise SettingsError(
            f"monotone_constraints of the trees has {', '.join(unknown)}, which is no numeric feature of the ranker. "
            f"It has: {', '.join(known)}."
        )
    return [constraints.get(name, 0) for name in columns.names]


def rows(found: Slates) -> SlateRows:
    """What the trees read."""
    return SlateRows(
        features=found.batch.features,
        labels=found.labels,
        groups=found.batch.slate.astype(np.int64),
        counts=found.counts,
    )
