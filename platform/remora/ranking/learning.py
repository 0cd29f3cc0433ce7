"""What a ranking model learns from, and what its learning gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:  # settings import the components that they name
    from torch import Tensor

    from remora.fitting.training_run import TrainingRun
    from remora.ranking.columns import RankerColumns
    from remora.ranking.model import RankingModel
    from remora.ranking.windows import RankingWindows
    from remora.settings.ranking import ObjectiveSettings


@dataclass(frozen=True, kw_only=True)
class RankingData:
    """Past slates with their outcomes, and all that the settings say of every ranking model.

    ``windows`` have a label (n,) for each of the ``objectives``, in their order. ``item_vectors`` (items, d) float32
    are those of the two towers, by the items' rows. With ``refit`` the model that is kept learns from the validation
    window too, once all is chosen on it. ``run`` is for what trains on Ray Train; None: learn in this process, as for
    the trials of a search, of which one runs on each CPU.
    """

    windows: RankingWindows
    objectives: Mapping[str, ObjectiveSettings]
    item_vectors: Tensor
    refit: bool = True
    seed: int = 7
    run: TrainingRun | None = None


@dataclass(frozen=True, kw_only=True)
class RankerInputs:
    """What all models of a ranker read: ``columns`` of a batch's features, ``objectives`` in the order of margins, and
    ``item_vectors`` (items, d) float32 by the items' rows."""

    columns: RankerColumns
    objectives: tuple[str, ...]
    item_vectors: Tensor


class Curve(BaseModel):
    """Quality on validation after each ``step``: a round, an epoch."""

    model_config = ConfigDict(frozen=True)

    step: str
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class LearningResult:
    """``chosen`` has not seen the validation window, so blend and calibration are fitted on its margins there.

    ``final`` is kept and served: with a refit it learned from that window as well, else it is the same.

    ``curves`` by the part of the model, such as an objective; of a model in one piece the part is empty.
    """

    chosen: RankingModel
    final: RankingModel
    curves: Mapping[str, Curve] = field(default_factory=dict)
