"""What a ranker reads: the candidates of one or many slates, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import ItemCodes


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """n candidates of q slates.

    ``features`` (n, F) float32 in the order of the ranker's columns, NaN for missing; ``rows`` (n,) of the items;
    ``slate`` (n,) which slate each belongs to, 0 to q - 1, those of one slate together; ``histories``: for each slate
    the rows of its user's positive items, most recent last.
    """

    features: npt.NDArray[np.float32]
    rows: ItemCodes
    slate: npt.NDArray[np.int64]
    histories: Sequence[ItemCodes]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def begins(self) -> npt.NDArray[np.int64]:
        """Where each slate begins, and after the last one n: shape (q + 1,)."""
        return np.searchsorted(self.slate, np.arange(len(self.histories) + 1))

    @cached_property
    def history_lengths(self) -> npt.NDArray[np.int64]:
        """How many positive items the user of each candidate had: shape (n,)."""
        return np.array([len(history) for history in self.histories], np.int64)[self.slate]

    def indices(self, slates: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Positions (m,) of the candidates of ``slates`` (k,), one slate after another."""
        parts = [np.arange(self.begins[slate], self.begins[slate + 1]) for slate in slates]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def known(self, live_from: int) -> Batch:
        """Without live items, whose rows are ``live_from`` and more: neither candidates nor in histories."""
        kept = self.rows < live_from
        return Batch(
            features=self.features[kept],
            rows=self.rows[kept],
            slate=self.slate[kept],
            histories=[history[history < live_from] for history in self.histories],
        )

    def one(self, index: int) -> Batch:
        """The candidate at position ``index`` alone: a batch of one row and one slate."""
        return Batch(
            features=self.features[index : index + 1],
            rows=self.rows[index : index + 1],
            slate=np.zeros(1, np.int64),
            histories=[self.histories[self.slate[index]]],
        )

    def take(self, slates: npt.NDArray[np.int64]) -> Batch:
        """The slates numbered ``slates`` (k,), in this order, renumbered 0 to k - 1."""
        at = self.indices(slates)
        return Batch(
            features=self.features[at],
            rows=self.rows[at],
            slate=np.repeat(np.arange(len(slates)), np.diff(self.begins)[slates]),
            histories=[self.histories[slate] for slate in slates],
        )


def stacked(first: Batch, then: Batch) -> Batch:
    """The slates of ``then`` after those of ``first``; both have the same F feature columns."""
    return Batch(
        features=np.concatenate([first.features, then.features]),
        rows=np.concatenate([first.rows, then.rows]),
        slate=np.concatenate([first.slate, then.slate + len(first.histories)]),
        histories=[*first.histories, *then.histories],
    )
