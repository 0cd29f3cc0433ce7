"""Ids are strings in the user's world and dense int32 rows inside; a vocabulary maps one to the other."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

MAX_ID_CHARACTERS = 256
"""Of an id that a request may name."""

ItemCodes = npt.NDArray[np.int32]
"""Item rows, shape (n,), int32."""

NO_ROWS: ItemCodes = np.empty(0, np.int32)


class Vocabulary:
    """Row i is the i-th id in sorted order; immutable.

    >>> v = Vocabulary(["b", "a", "c"])
    >>> v.rows(["c", "a", "unknown"])
    array([2, 0], dtype=int32)
    >>> v.id(1)
    'b'
    """

    def __init__(self, ids: Iterable[str] | pa.ChunkedArray) -> None:
        # In Arrow, whose compute functions let other threads run: bundles of many items are opened beside requests.
        given = pc.unique(ids.cast(pa.string()) if isinstance(ids, pa.ChunkedArray) else pa.array(ids, pa.string()))
        self.ids: pa.StringArray = given.take(pc.sort_indices(given))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: str) -> bool:
        return id in self._row_of

    @property
    def live_from(self) -> int:
        """The first row of an item that came after what was learned; the number of rows without any."""
        return len(self)

    @property
    def digest(self) -> str:
        """What tells the rows from :attr:`live_from` on from those of another vocabulary; empty where there are
        none."""
        return ""

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {id: row for row, id in enumerate(self._list)}

    @cached_property
    def _list(self) -> list[str]:
        return self.ids.to_numpy(zero_copy_only=False).tolist()

    def row(self, id: str) -> int | None:
        """The row of one id, None when it is not in the vocabulary."""
        return self._row_of.get(id)

    def rows(self, ids: Iterable[str]) -> ItemCodes:
        """Rows (m,) int32 of the m ids that are known, in their order; unknown ids are left out."""
        found = self._row_of
        return np.fromiter((found[i] for i in ids if i in found), np.int32)

    def id(self, row: int) -> str:
        """The id of one row."""
        return self._list[row]

    def to_ids(self, rows: Iterable[int] | ItemCodes) -> list[str]:
        """The ids of ``rows`` (n,), one per row. IndexError for one past the last."""
        return [self._list[r] for r in rows]
