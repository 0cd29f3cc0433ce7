"""A vocabulary with ids that came after it, whose own rows keep their numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pyarrow as pa

from remora.core.vocabulary import ItemCodes, Vocabulary


class ExtendedVocabulary(Vocabulary):
    """The rows of ``base`` as they are, then those of ``late`` ids in sorted order; immutable.

    ``base`` has none of them. Nothing of it is copied: what it costs is a matter of the late ids alone.

    >>> v = ExtendedVocabulary(Vocabulary(["b", "d"]), ["c", "a"])
    >>> v.rows(["d", "c", "a", "unknown"]), v.to_ids([0, 3]), v.live_from
    (array([1, 3, 2], dtype=int32), ['b', 'c'], 2)
    """

    def __init__(self, base: Vocabulary, late: Iterable[str]) -> None:
        self.base = base
        self.late = tuple(sorted(set(late)))
        self._late_row_of = {id: len(base) + place for place, id in enumerate(self.late)}

    @cached_property
    def ids(self) -> pa.StringArray:  # type: ignore[override]
        """All ids, by row."""
        return pa.concat_arrays([self.base.ids, pa.array(self.late, pa.string())])

    def __len__(self) -> int:
        return len(self.base) + len(self.late)

    def __contains__(self, id: str) -> bool:
        return id in self.base or id in self._late_row_of

    @property
    def live_from(self) -> int:
        """See :class:`Vocabulary`."""
        return len(self.base)

    @cached_property
    def digest(self) -> str:
        """See :class:`Vocabulary`."""
        return hashlib.blake2b(json.dumps(self.late).encode(), digest_size=16).hexdigest() if self.late else ""

    def row(self, id: str) -> int | None:
        """See :class:`Vocabulary`."""
        found = self.base.row(id)
        return self._late_row_of.get(id) if found is None else found

    def rows(self, ids: Iterable[str]) -> ItemCodes:
        """See :class:`Vocabulary`."""
        return np.fromiter((row for id in ids if (row := self.row(id)) is not None), np.int32)

    def id(self, row: int) -> str:
        """See :class:`Vocabulary`."""
        return self.base.id(row) if row < len(self.base) else self.late[row - len(self.base)]

    def to_ids(self, rows: Iterable[int] | ItemCodes) -> list[str]:
        """See :class:`Vocabulary`."""
        return [self.id(row) for row in rows]
