"""A data file of a table format: its log says what is in it, so nothing is read to know whether it has changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from remora.ingest.files import SourceFile


@dataclass(frozen=True, eq=False)
class TableFile(SourceFile):
    """A file that a table's log names, which never changes.

    ``identity`` is a hash of the table's id, the file's entry in the log and the columns. ``deleted``: rows that are
    deleted, from 0, sorted, int64.
    """

    identity: str
    deleted: npt.NDArray[np.int64]

    change: ClassVar[str] = "rows of it were deleted, or the table's columns changed"

    @property
    def hashed_bytes(self) -> int:
        """None: what the table says of it is known."""
        return 0

    def sha256(self) -> str:
        """The ``identity``: the content is not read for it."""
        return self.identity
