"""A snapshot with some items as they are now, and with items that came after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from remora.core.extended_vocabulary import ExtendedVocabulary
from remora.core.vocabulary import ItemCodes
from remora.features.item_updates import ItemUpdates
from remora.features.snapshot import Floats, ItemSnapshot
from remora.ingest.schema import DELETED

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ExtendedItems:
    """The items of ``base`` and those of ``updated`` over them, at ``rows`` (k,) of ``vocabulary``: see
    :class:`~remora.pipeline.Items`, of n + m items.

    Arrays of the base are never changed: each is copied with what differs when it is first asked for.
    """

    base: ItemSnapshot
    vocabulary: ExtendedVocabulary
    updated: ItemSnapshot
    rows: ItemCodes
    deleted: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, updates: ItemUpdates) -> ExtendedItems:
        """The base of the updates with all of them."""
        updated, base = updates.snapshot(), updates.base
        ids = updated.vocabulary.ids.to_pylist()
        vocabulary = ExtendedVocabulary(base.vocabulary, (id for id in ids if id not in base.vocabulary))
        rows = vocabulary.rows(ids)
        deleted = np.zeros(len(vocabulary), bool)
        deleted[rows] = updates.table[DELETED].to_numpy()
        return cls(base, vocabulary, updated, rows, deleted)

    @property
    def instant(self) -> datetime:
        """That of the base, which says what was learned."""
        return self.base.instant

    @property
    def live_from(self) -> int:
        """The first row that the base does not have."""
        return len(self.base.vocabulary)

    def column(self, name: str) -> Array:
        """See :meth:`ItemSnapshot.column`."""
        if name not in self._columns:
            self._columns[name] = self.spliced(self.base.column(name), self.updated.column(name))
        return self._columns[name]

    @cached_property
    def available(self) -> npt.NDArray[np.bool_]:
        """May the item be shown? Not one that was deleted."""
        return self.spliced(self.base.available, self.updated.available)

    @property
    def category_names(self) -> tuple[str, ...]:
        """Of the base, whose numbers what was updated has too."""
        return self.base.category_names

    @cached_property
    def categories(self) -> npt.NDArray[np.int32]:
        """See :attr:`ItemSnapshot.categories`."""
        width = max(self.base.categories.shape[1], self.updated.categories.shape[1])
        return self.spliced(_wide(self.base.categories, width), _wide(self.updated.categories, width))

    @cached_property
    def popularity(self) -> Floats:
        """See :attr:`ItemSnapshot.popularity`; 0 of items that came after the base."""
        return self.spliced(self.base.popularity, self.updated.popularity)

    @cached_property
    def trend(self) -> Floats:
        """See :attr:`ItemSnapshot.trend`; 0 of items that came after the base."""
        return self.spliced(self.base.trend, self.updated.trend)

    @cached_property
    def most_popular(self) -> ItemCodes:
        """See :attr:`ItemSnapshot.most_popular`."""
        return self._with_late(self.base.most_popular, self.base.popularity)

    @cached_property
    def most_trending(self) -> ItemCodes:
        """See :attr:`ItemSnapshot.most_trending`."""
        return self._with_late(self.base.most_trending, self.base.trend)

    @cached_property
    def age_days(self) -> Floats:
        """See :attr:`ItemSnapshot.age_days`; of items that came after the base as of the last update."""
        late = np.isin(self.rows, np.flatnonzero(np.isnan(self.base.age_days)))
        late |= self.rows >= self.live_from
        ages = np.concatenate([self.base.age_days, np.full(len(self.vocabulary.late), np.nan, np.float32)])
        ages[self.rows[late]] = self.updated.age_days[late]
        return ages

    def new(self, days: float) -> npt.NDArray[np.bool_]:
        """See :meth:`ItemSnapshot.new`."""
        untouched = np.isnan(self.column("item_activity__first_event_at"))
        return self.available & (untouched | (self.age_days <= days))

    @cached_property
    def titles(self) -> Sequence[str | None]:
        """See :attr:`ItemSnapshot.titles`."""
        return Texts(self.base.titles, dict(zip(self.rows.tolist(), self.updated.titles, strict=True)))

    def spliced(self, of_base: Array, of_updated: Array) -> Array:
        """A column of the base (n, ...) with that of what was updated (k, ...) in its place: (n + m, ...)."""
        whole = np.empty((len(self.vocabulary), *of_base.shape[1:]), of_base.dtype)
        whole[: len(of_base)] = of_base
        whole[self.rows] = of_updated
        return whole

    @cached_property
    def _columns(self) -> dict[str, Array]:
        return {}

    def _with_late(self, order: ItemCodes, values: Floats) -> ItemCodes:
        """Rows by a value that updates do not change, and that is 0 of late items: these stand behind all rows of 0."""
        late = np.arange(self.live_from, len(self.vocabulary), dtype=np.int32)
        place = int(np.count_nonzero(values >= 0))
        return np.concatenate([order[:place], late, order[place:]]) if len(late) else order


class Texts(Sequence[str | None]):
    """Texts by row, some of them replaced and some behind the last; nothing is copied."""

    def __init__(self, base: Sequence[str | None], other: dict[int, str | None]) -> None:
        self._base, self._other = base, other
        self._length = len(base) + sum(row >= len(base) for row in other)

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, row: int) -> str | None: ...
    @overload
    def __getitem__(self, row: slice) -> list[str | None]: ...
    def __getitem__(self, row: int | slice) -> str | list[str | None] | None:
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        row = int(row) + (len(self) if row < 0 else 0)
        return self._other[row] if row in self._other else self._base[row]


def _wide(numbers: npt.NDArray[np.int32], width: int) -> npt.NDArray[np.int32]:
    """Numbers (n, m) padded with -1 to (n, ``width``)."""
    if numbers.shape[1] == width:
        return numbers
    return np.pad(numbers, ((0, 0), (0, width - numbers.shape[1])), constant_values=-1)
