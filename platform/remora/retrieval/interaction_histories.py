"""What every user had, in order, packed: one array, and where each user's part of it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from remora.core.errors import DataError

PADDING = -1
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Histories:
    """Rows of ``items`` different items: user n had ``flat[ends[n]:ends[n + 1]]``, the last one last.

    Packed, because most histories are short: nothing is stored or sent for padding.
    """

    items: int
    flat: npt.NDArray[np.int32]  # (events,)
    ends: Ints  # (users + 1,), the first is 0

    def __post_init__(self) -> None:
        if len(self.flat) and not (self.flat.min() >= 0 and self.flat.max() < self.items):
            raise DataError(
                f"Histories hold item rows {self.flat.min()} to {self.flat.max()}, the catalogue has 0 to "
                f"{self.items - 1}. The vocabulary has changed since they were made: make them again."
            )

    @classmethod
    def of(cls, histories: Iterable[npt.ArrayLike], items: int) -> Histories:
        """From one array of item rows for each user."""
        parts = [np.asarray(h, np.int32) for h in histories]
        ends = np.concatenate([[0], np.cumsum([len(p) for p in parts], dtype=np.int64)]).astype(np.int64)
        return cls(items=items, flat=np.concatenate([np.empty(0, np.int32), *parts]), ends=ends)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, user: int) -> npt.NDArray[np.int32]:
        return self.flat[self.ends[user] : self.ends[user + 1]]

    def __iter__(self) -> Iterator[npt.NDArray[np.int32]]:
        return (self[user] for user in range(len(self)))

    def matrix(self) -> sp.csr_array:
        """Who had what (users, items): one, however often."""
        owner = np.repeat(np.arange(len(self)), self.lengths)
        ones = np.ones(len(self.flat), np.float32)
        matrix = sp.csr_array((ones, (owner, self.flat)), shape=(len(self), self.items))
        matrix.sum_duplicates()
        matrix.data[:] = 1.0
        return matrix

    @property
    def lengths(self) -> Ints:
        """Items of each user, shape (users,)."""
        return np.diff(self.ends)

    def without_last(self, count: int) -> Histories:
        """Every history without its last ``count`` items; those that are shorter become empty."""
        kept = np.maximum(self.lengths - count, 0)
        place = np.arange(len(self.flat)) - np.repeat(self.ends[:-1], self.lengths)
        inside = place < np.repeat(kept, self.lengths)
        ends = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return Histories(items=self.items, flat=self.flat[inside], ends=ends)

    def chosen(self, users: Ints) -> Histories:
        """Those of some users, in their order."""
        lengths = self.lengths[users]
        ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        inner = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
        flat = self.flat[np.repeat(self.ends[:-1][users], lengths) + inner]
        return Histories(items=self.items, flat=flat, ends=ends)

    def padded(self, users: Ints, length: int) -> Ints:
        """The last ``length`` items of some users, (n, longest of them), :data:`PADDING` behind.

        >>> Histories.of([[4], [1, 2, 3]], items=5).padded(np.array([0, 1]), 2)
        array([[ 4, -1],
               [ 2,  3]])
        """
        sizes = np.minimum(self.lengths[users], length)
        positions = np.arange(max(1, sizes.max(initial=0)))
        inside = positions < sizes[:, None]
        at = (self.ends[1:][users] - sizes)[:, None] + positions
        if not len(self.flat):
            return np.full(at.shape, PADDING, np.int64)
        return np.where(inside, self.flat[np.where(inside, at, 0)], PADDING).astype(np.int64)


def batches(lengths: Ints, size: int, generator: np.random.Generator) -> list[Ints]:
    """All users in random batches of ``size`` whose lengths are alike, so that little is padding.

    Lengths are alike within sixteen batches' worth of random users: which users meet stays mostly chance.
    """
    order = generator.permutation(len(lengths))
    made: list[Ints] = []
    for begin in range(0, len(order), 16 * size):
        part = order[begin : begin + 16 * size]
        part = part[np.argsort(lengths[part], kind="stable")]
        made += [part[at : at + size] for at in range(0, len(part), size)]
    return [made[n] for n in generator.permutation(len(made))]
