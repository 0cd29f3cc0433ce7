"""The columns of items that the ranker reads, by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from remora.core.vocabulary import ItemCodes
from remora.features.extended_items import ExtendedItems
from remora.features.transforms import cross
from remora.pipeline import Items
from remora.ranking.columns import RankerColumns


@dataclass(frozen=True)
class ItemColumns:
    """The snapshot's columns of some rows, as the ranker and the cross features read them; text is looked up once."""

    snapshot: Items
    read: RankerColumns
    names: tuple[str, ...]

    def __call__(self, rows: ItemCodes) -> Mapping[str, npt.NDArray[Any]]:
        """Each column at ``rows``; categories as (n, m)."""
        columns: dict[str, npt.NDArray[Any]] = {name: column[rows] for name, column in self.whole.items()}
        columns[cross.CATEGORIES] = self.snapshot.categories[rows]
        return columns

    @cached_property
    def whole(self) -> dict[str, npt.NDArray[Any]]:
        """Each column of all rows."""
        texts = {column.name: column for column in self.read.columns if column.categories is not None}
        whole = {name: self.snapshot.column(name) for name in self.names}
        return {name: texts[name].encode(column) if name in texts else column for name, column in whole.items()}


@dataclass(frozen=True, eq=False)
class ExtendedItemColumns:
    """The same of items with updates, one at least, over them.

    Whole columns are not copied: of the rows that a request asks for, those of ``updated`` are put in place.
    """

    base: ItemColumns
    updated: ItemColumns
    items: ExtendedItems

    @classmethod
    def of(cls, base: ItemColumns, items: ExtendedItems) -> ExtendedItemColumns:
        """The columns of ``base``, which stay looked up."""
        return cls(base, ItemColumns(items.updated, base.read, base.names), items)

    def __call__(self, rows: ItemCodes) -> Mapping[str, npt.NDArray[Any]]:
        """See :class:`ItemColumns`."""
        order, ordered = self._order
        at = np.minimum(np.searchsorted(ordered, rows), len(ordered) - 1)
        where = np.flatnonzero(ordered[at] == rows)
        # Any row of the base will do where it has none: what it says there is replaced.
        columns = dict(self.base(np.where(rows < self.items.live_from, rows, 0)))
        for name, own in self.updated.whole.items():
            columns[name][where] = own[order[at[where]]]
        columns[cross.CATEGORIES] = self.items.categories[rows]
        return columns

    @cached_property
    def _order(self) -> tuple[npt.NDArray[np.intp], ItemCodes]:
        order = np.argsort(self.items.rows)
        return order, self.items.rows[order]
