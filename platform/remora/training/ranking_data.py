"""What ranking models learn from and are chosen by, and how the settings say they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from remora.contracts.artifacts import Artifact
from remora.contracts.errors import DataError, SettingsError
from remora.datasets.slates import Slates
from remora.ingest.lake import Lake
from remora.ranking.columns import RankerColumns
from remora.ranking.network.inputs import Scale
from remora.ranking.network.network import NetworkSpec
from remora.settings import RankingSettings, Settings, TreeSettings
from remora.settings.ranking import ObjectiveSettings
from remora.training import ranking_examples
from remora.training.boosting import AMOUNT, LISTWISE, PROBABILITY, Config, Groups, Head
from remora.training.ranking_network import NetworkInputs, NetworkSchedule


@dataclass(frozen=True, kw_only=True)
class RankingWindows:
    """What models learn from, and what they are chosen by."""

    columns: RankerColumns
    train: Slates
    validation: Slates

    @classmethod
    def read(cls, rows: Artifact, lake: Lake) -> RankingWindows:
        """The columns are those that say something in the ranking window."""
        vocabulary = lake.vocabulary()
        train, validation = (
            ranking_examples.read(rows, window) for window in (ranking_examples.TRAIN, ranking_examples.VALIDATION)
        )
        columns = RankerColumns.fit(train.rows)
        return cls(
            columns=columns,
            train=Slates.of(*train, columns, vocabulary),
            validation=Slates.of(*validation, columns, vocabulary),
        )

    def monotone(self, trees: TreeSettings) -> list[int]:
        """By column; SettingsError for an unknown feature, or a category, which has no direction."""
        known = [column.name for column in self.columns.columns if column.categories is None]
        if unknown := sorted(set(trees.monotone_constraints) - set(known)):
            raise SettingsError(
                f"ranking.trees.monotone_constraints has {', '.join(unknown)}, which is no numeric feature of "
                f"the ranker. It has: {', '.join(known)}."
            )
        return [trees.monotone_constraints.get(name, 0) for name in self.columns.names]

    def without(self, prefix: str) -> RankingWindows:
        """The same without the features whose names begin so."""
        keep = [index for index, name in enumerate(self.columns.names) if not name.startswith(prefix)]
        return RankingWindows(
            columns=RankerColumns(columns=tuple(self.columns.columns[index] for index in keep)),
            train=self.train.with_features(keep),
            validation=self.validation.with_features(keep),
        )

    def __post_init__(self) -> None:
        for name in self.train.labels:
            for window, found in (("ranking", self.train), ("validation", self.validation)):
                if not (found.labels[name] > 0).any():
                    raise DataError(
                        f"No candidate of the {window} window led to objective {name}: nothing can be learned of it. "
                        f"Leave it out of ranking.objectives, raise ranking.{window}_queries, or bring more events."
                    )


def head_of(objective: ObjectiveSettings) -> Head:
    """How the trees learn it."""
    if objective.loss == "listwise":
        return LISTWISE
    return AMOUNT if objective.label == "value" else PROBABILITY


def boosting_of(ranking: RankingSettings, objective: ObjectiveSettings, data: RankingWindows) -> Config:
    """How the trees of one objective are boosted."""
    return Config(
        trees=ranking.trees,
        head=head_of(objective),
        kinds=tuple(data.columns.kinds),
        monotone=tuple(data.monotone(ranking.trees)),
        refit=ranking.refit,
        seed=ranking.seed,
    )


def groups(found: Slates, objective: str, head: Head) -> Groups:
    """What the trees read. A listwise head learns nothing from a slate without a positive."""
    label = found.labels[objective]
    if head == LISTWISE:
        found = found.with_any(label)
    return Groups(
        features=found.batch.features,
        labels=found.labels[objective],
        groups=found.batch.slate.astype(np.int64),
        counts=found.counts,
    )


def network_inputs(
    settings: Settings, data: RankingWindows, vectors: torch.Tensor
) -> tuple[NetworkInputs, NetworkSchedule]:
    """What the network learns from and how, as the settings say; ``vectors`` (items, d) are those of the items."""
    chosen = settings.ranking.network
    spec = NetworkSpec(
        columns=data.columns,
        scale=Scale.fit(data.train.batch.features),
        objectives=tuple(settings.objectives),
        dimension=vectors.shape[1],
        settings=chosen,
    )
    inputs = NetworkInputs(
        spec=spec,
        objectives=settings.objectives,
        item_vectors=vectors,
        train=data.train,
        validation=data.validation,
    )
    return inputs, NetworkSchedule.of(chosen, settings.ranking.seed)
