"""The ranker as it is kept and served: models, their blend, and a calibrated column for each objective."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict

from remora.core.errors import DataError
from remora.core.json_document import parse_document
from remora.pipeline.live_rows import takes_live_rows
from remora.pipeline.rows import spread
from remora.ranking.batch import Batch
from remora.ranking.blend import Blend
from remora.ranking.calibration import AnyCalibrator
from remora.ranking.columns import RankerColumns
from remora.ranking.learning import RankerInputs
from remora.ranking.model import ExplainedModel, Margins, RankingModel, SelectableModel, VectorReadingModel
from remora.settings.components import RankingModelChoice

SPEC, MODELS = "ranker.json", "ranking"


class RankerSpec(BaseModel):
    """What is not weights. ``calibrators`` has the objectives in their order, ``types`` the component of each model."""

    model_config = ConfigDict(frozen=True)

    columns: RankerColumns
    calibrators: dict[str, AnyCalibrator]
    blend: Blend
    types: dict[str, str]

    @property
    def objectives(self) -> tuple[str, ...]:
        """What it predicts."""
        return tuple(self.calibrators)


@dataclass(frozen=True, kw_only=True)
class Ranker:
    """``score`` gives a column for each objective; :func:`~remora.ranking.slate_value.value_of` makes one of them.

    ``indices``: which columns of a model's margins count, where it gives more than are predicted. ``live_from``: the
    first row of an item that came after it, None without such items. A model that does not take such rows is not
    asked of them, and its margins of them are NaN.
    """

    spec: RankerSpec
    models: Mapping[str, RankingModel]
    indices: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    live_from: int | None = None

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
        margins = {name: self._margins(name, batch) for name in self.spec.blend.models}
        return self.spec.blend.of(margins | {name: margins[name][:, at] for name, at in self.indices.items()})

    def _margins(self, name: str, batch: Batch) -> Margins:
        model = self.models[name]
        if self.live_from is None or takes_live_rows(model):
            return model.margins(batch)
        known = batch.rows < self.live_from
        if not known.any():
            return np.full(
                (len(batch), 1 + max(self.indices.get(name, range(len(self.objectives))))), np.nan, np.float32
            )
        return spread(model.margins(batch.known(self.live_from)), known)

    def with_live_items(self, live_from: int, vectors: npt.NDArray[np.float32] | None) -> Ranker:
        """The same for items that came later too, at rows from ``live_from`` on; ``vectors`` (m, d) are theirs, None
        where nothing says what they are like."""
        late = None if vectors is None else torch.from_numpy(vectors)
        models = {
            name: model.with_live_items(late) if late is not None and isinstance(model, VectorReadingModel) else model
            for name, model in self.models.items()
        }
        return replace(self, models=models, live_from=live_from)

    def score(self, batch: Batch) -> dict[str, npt.NDArray[np.float64]]:
        """By objective, shape (n,): the probability that it happens, or the expected amount."""
        margins, history = self.margins(batch), batch.history_lengths
        return {name: of(margins[:, index], history) for index, (name, of) in enumerate(self.spec.calibrators.items())}

    def contributions(self, batch: Batch, objective: str) -> npt.NDArray[np.float32] | None:
        """What each feature adds to the margin of a model, shape (n, F + 1), the last column what rows have in common.

        Of the models that explain themselves it is the one with the largest share in the objective; None without one,
        and for live items that it does not take.
        """
        index, shares = self.objectives.index(objective), self.spec.blend.shares
        explained = {name: model for name, model in self.models.items() if isinstance(model, ExplainedModel)}
        name = max(explained, key=lambda name: shares[name][index], default=None)
        if name is None or not shares[name][index]:
            return None
        if self.live_from is not None and not takes_live_rows(self.models[name]):
            if (batch.rows >= self.live_from).any():
                return None
            batch = batch.known(self.live_from)
        return explained[name].contributions(batch, objective)

    def select(self, objectives: Collection[str]) -> Ranker:
        """One that predicts these as this one does, and runs nothing that they do not need."""
        chosen = [index for index, name in enumerate(self.objectives) if name in objectives]
        calibrators = {self.objectives[index]: self.spec.calibrators[self.objectives[index]] for index in chosen}
        blend = self.spec.blend.select(chosen)
        models: dict[str, RankingModel] = {}
        indices: dict[str, tuple[int, ...]] = {}
        for name in blend.models:
            model, before = self.models[name], self.indices.get(name, range(len(self.objectives)))
            if isinstance(model, SelectableModel):
                models[name] = model.select(chosen)
            else:
                models[name], indices[name] = model, tuple(before[index] for index in chosen)
        spec = self.spec.model_copy(update={"calibrators": calibrators, "blend": blend})
        return replace(self, spec=spec, models=models, indices=indices)

    def save(self, folder: Path) -> None:
        """``ranker.json``, and the files of each model that is used in a folder of its own, under :data:`MODELS`."""
        (folder / SPEC).write_text(self.spec.model_dump_json(indent=1))
        for name in self.spec.blend.models:
            own = folder / MODELS / name
            own.mkdir(parents=True)
            self.models[name].save(own)

    @classmethod
    def load(cls, folder: Path, models: Mapping[str, RankingModelChoice], item_vectors: torch.Tensor) -> Ranker:
        """What :meth:`save` wrote, of the ``models`` that settings name.

        ``item_vectors`` (items, d): what models may read of items, by row. DataError where it was trained with a model
        that the settings lack, or with another component under its name.
        """
        spec = parse_document((folder / SPEC).read_bytes(), str(folder / SPEC), RankerSpec, "Build the bundle again.")
        inputs = RankerInputs(columns=spec.columns, objectives=spec.objectives, item_vectors=item_vectors)
        found = {}
        for name in spec.blend.models:
            named = models[name].type if name in models else None
            if named != spec.types[name]:
                there = f"the type '{named}'" if named else "none of that name"
                raise DataError(
                    f"The ranker was trained with the model '{name}' of type '{spec.types[name]}', and the settings "
                    f"have {there} in ranking.models. Train the "
                    f"ranker again."
                )
            found[name] = models[name].component.cls.load(models[name].config, folder / MODELS / name, inputs)
        return cls(spec=spec, models=found)
