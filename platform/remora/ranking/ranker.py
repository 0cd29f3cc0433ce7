"""The ranker as it is kept and served: models, their blend, and a calibrated column for each objective."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict

from remora.contracts.json_document import parse_document
from remora.ranking.batch import Batch
from remora.ranking.blend import Blend
from remora.ranking.calibration import AnyCalibrator
from remora.ranking.columns import RankerColumns
from remora.ranking.model import RankingModel
from remora.ranking.network.model import Network
from remora.ranking.trees import Trees

SPEC = "ranker.json"
TREES, NETWORK = "trees", "network"


class RankerSpec(BaseModel):
    """What is not weights. ``calibrators`` has the objectives in their order."""

    model_config = ConfigDict(frozen=True)

    columns: RankerColumns
    calibrators: dict[str, AnyCalibrator]
    blend: Blend

    @property
    def objectives(self) -> tuple[str, ...]:
        """What it predicts."""
        return tuple(self.calibrators)


@dataclass(frozen=True, kw_only=True)
class Ranker:
    """``score`` gives a column for each objective; :func:`~remora.ranking.slate_value.value_of` makes one of them."""

    spec: RankerSpec
    models: Mapping[str, RankingModel]

    @property
    def columns(self) -> RankerColumns:
        """The features, in order."""
        return self.spec.columns

    @property
    def objectives(self) -> tuple[str, ...]:
        """What it predicts."""
        return self.spec.objectives

    def margins(self, batch: Batch) -> npt.NDArray[np.float32]:
        """Shape (n, objectives): the blend, before calibration."""
        return self.spec.blend.of({name: self.models[name].margins(batch) for name in self.spec.blend.models})

    def score(self, batch: Batch) -> dict[str, npt.NDArray[np.float64]]:
        """By objective, shape (n,): the probability that it happens, or the expected amount."""
        margins = self.margins(batch)
        return {name: of(margins[:, index]) for index, (name, of) in enumerate(self.spec.calibrators.items())}

    def select(self, objectives: Collection[str]) -> Ranker:
        """One that predicts these as this one does, and runs nothing that they do not need."""
        indices = [index for index, name in enumerate(self.objectives) if name in objectives]
        calibrators = {self.objectives[index]: self.spec.calibrators[self.objectives[index]] for index in indices}
        blend = self.spec.blend.select(indices)
        return Ranker(
            spec=self.spec.model_copy(update={"calibrators": calibrators, "blend": blend}),
            models={name: self.models[name].select(indices) for name in blend.models},
        )

    def save(self, folder: Path) -> None:
        """``ranker.json``, and the weights of the models that are used."""
        (folder / SPEC).write_text(self.spec.model_dump_json(indent=1))
        for name in self.spec.blend.models:
            self.models[name].save(folder)

    @classmethod
    def load(cls, folder: Path, item_vectors: torch.Tensor) -> Ranker:
        """What :meth:`save` wrote. ``item_vectors`` (items, d): what the network reads of items, by row."""
        spec = parse_document((folder / SPEC).read_bytes(), str(folder / SPEC), RankerSpec, "Build the bundle again.")
        models: dict[str, RankingModel] = {}
        if TREES in spec.blend.models:
            models[TREES] = Trees.load(folder, spec.objectives)
        if NETWORK in spec.blend.models:
            models[NETWORK] = Network.load(folder, item_vectors)
        return cls(spec=spec, models=models)
