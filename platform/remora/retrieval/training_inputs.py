"""What networks of retrieval are trained on, and how long: what a model hands to a trainer, and each worker gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from remora.retrieval.interaction_histories import Histories
from remora.settings.components import LossChoice

if TYPE_CHECKING:
    from torch import Tensor

    from remora.retrieval.matrix_factorization import PairSpec
    from remora.retrieval.sequential_tower import SequenceSpec

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class NextItems:
    """Users to measure on: what they had, and the rows of ``targets`` (n,), what they wanted next."""

    histories: Histories
    targets: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class SequenceSchedule:
    """How long and how fast. ``batch_users`` are those of all workers together; ``patience`` counts epochs without a
    better validation, ``seconds`` bounds the loop's time; None is no bound."""

    epochs: int
    batch_users: int
    learning_rate: float
    loss: LossChoice
    negatives: int
    popularity: float  # share of negatives drawn by popularity
    weight_decay: float
    patience: int
    seconds: float | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class SequenceInputs:
    """What every worker needs; one object in Ray's store, read there without a copy.

    ``start``: vectors (items, d) to begin at; ``weights``: all those of a tower to continue from. Without
    ``validation`` every epoch is trained and the last is kept.
    """

    spec: SequenceSpec
    train: Histories
    validation: NextItems | None
    start: Vectors | None = None
    weights: Mapping[str, Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class PairValidation:
    """Some ``users``, what they had (n, items) and what was held out of it (n, items)."""

    users: npt.NDArray[np.int64]
    had: sp.csr_array
    relevant: sp.csr_array


@dataclass(frozen=True, kw_only=True)
class PairSchedule:
    """As :class:`SequenceSchedule`; ``batch_size`` counts pairs of all workers."""

    epochs: int
    batch_size: int
    learning_rate: float
    loss: LossChoice
    negatives: int
    popularity: float
    patience: int
    seconds: float | None
    seed: int


@dataclass(frozen=True, kw_only=True)
class PairInputs:
    """As :class:`SequenceInputs`. ``start``: vectors of users (users, d) and items (items, d) to begin at."""

    spec: PairSpec
    train: Histories
    validation: PairValidation | None
    start: tuple[Vectors, Vectors] | None = None
