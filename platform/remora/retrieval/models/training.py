"""What a retrieval model that is trained once learns from, and what makes one a component."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from remora.retrieval.interaction_histories import Histories

if TYPE_CHECKING:
    from typing import Self

    import numpy.typing as npt

    from remora.core.vocabulary import ItemCodes, Vocabulary
    from remora.retrieval.matrix_factorization import MatrixFactorization
    from remora.retrieval.sequential_tower import SequentialTower
    from remora.retrieval.training_inputs import PairInputs, PairSchedule, SequenceInputs, SequenceSchedule
    from remora.settings import Settings

FEWEST = 3
"""Items of a user who is held out: two to learn from, one to find."""

MOST_HELD_OUT = 4_000
"""Users that are held out."""


class NetworkTrainer(Protocol):
    """Fits networks by Ray Train, with checkpoints: an interrupted training continues. DataError without data."""

    def sequences(self, inputs: SequenceInputs, schedule: SequenceSchedule) -> SequentialTower:
        """The epoch that is best by validation."""
        ...

    def pairs(self, inputs: PairInputs, schedule: PairSchedule) -> MatrixFactorization:
        """The epoch that is best by validation."""
        ...


@dataclass(frozen=True, kw_only=True)
class TrainingSplit:
    """Histories of the same users over the items at ``rows`` (n,) of the vocabulary, sorted: those of ``train``.

    ``held`` are the last items of some users, empty for the others.
    """

    rows: ItemCodes
    train: Histories
    held: Histories

    @property
    def judged(self) -> npt.NDArray[np.int64]:
        """Users (m,) of whom something is held out."""
        return np.flatnonzero(self.held.lengths)


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """What was known before the first cut of time: ``histories`` of all users, their positive items in order, as rows
    of ``vocabulary``. ``networks`` fits what a model is made of."""

    histories: Histories
    vocabulary: Vocabulary
    settings: Settings
    networks: NetworkTrainer

    def split(self, *, user_fraction: float, seed: int, share: float = 0.0) -> TrainingSplit:
        """Of that fraction of users the last ``share`` of their items is held out, one at the least.

        Items that are only among what is held out are left out of it: no model can have learned them.
        """
        whole = self.histories
        users = np.flatnonzero(whole.lengths >= FEWEST)
        some = min(MOST_HELD_OUT, int(np.ceil(user_fraction * len(users))))
        count = np.zeros(len(whole), np.int64)
        chosen = np.random.default_rng(seed).permutation(users)[:some]
        count[chosen] = np.maximum(1, share * whole.lengths[chosen])
        owner = np.repeat(np.arange(len(whole)), whole.lengths)
        inside = np.arange(len(whole.flat)) < (whole.ends[1:] - count)[owner]
        rows = np.unique(whole.flat[inside])
        held = ~inside & np.isin(whole.flat, rows)

        def part(mask: npt.NDArray[np.bool_]) -> Histories:
            ends = np.concatenate([[0], np.cumsum(np.bincount(owner[mask], minlength=len(whole)))]).astype(np.int64)
            return Histories(items=len(rows), flat=np.searchsorted(rows, whole.flat[mask]).astype(np.int32), ends=ends)

        return TrainingSplit(rows=rows, train=part(inside), held=part(held))


class TrainedModel(Protocol):
    """A component of the kind ``retrieval model`` that has ``train`` in place of ``learn``.

    The step ``train models`` trains it once, on what was before the first cut; replays and bundles read what it made.
    """

    @classmethod
    def train(cls, config: Any, data: TrainingData) -> Self:
        """From what was known; ``config`` is the model's own."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files into an empty folder, in formats of a bundle: Parquet, safetensors, UBJSON, FAISS, JSON."""
        ...

    @classmethod
    def load(cls, config: Any, folder: Path) -> Self:
        """What :meth:`save` wrote."""
        ...
