"""Item-item lists: for every item the best others, however they were found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.vocabulary import NO_ROWS, ItemCodes
from remora.pipeline.candidates import Retrieved
from remora.pipeline.rows import group_sum


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of every item, best first: those of row i stand at ``starts[i]:starts[i+1]``."""

    starts: npt.NDArray[np.int64]  # (items + 1,)
    rows: ItemCodes  # (pairs,)
    scores: npt.NDArray[np.float32]  # (pairs,)

    def of(self, row: int) -> Retrieved:
        """What goes with the item at ``row``, best first; empty without a neighbour."""
        where = slice(self.starts[row], self.starts[row + 1])
        return Retrieved(self.rows[where], self.scores[where])

    def of_many(self, rows: ItemCodes, weights: npt.NDArray[np.float32]) -> Retrieved:
        """Weighted sum of the neighbours of the items ``rows`` (n,) by ``weights`` (n,), best first; ties by row."""
        if not len(rows):
            return Retrieved(NO_ROWS, np.empty(0, np.float32))
        counts = self.starts[rows + 1] - self.starts[rows]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        where = np.repeat(self.starts[rows], counts) + within
        weighed = self.scores[where].astype(np.float64) * np.repeat(weights, counts)
        rows, total = group_sum(self.rows[where], weighed)
        order, scores = np.argsort(-total, kind="stable"), total.astype(np.float32)
        return Retrieved(rows[order], scores[order], partial(_looked_up, rows, scores))

    def save(self, path: Path | str) -> None:
        """Write one Parquet file with columns item, neighbour, score."""
        items = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
        table = pa.table({"item": items, "neighbour": self.rows, "score": self.scores})
        pq.write_table(
            table.replace_schema_metadata({b"items": str(len(self.starts) - 1).encode()}),
            path,
            write_page_checksum=True,
        )

    @classmethod
    def load(cls, path: Path | str) -> Neighbours:
        """What :meth:`save` wrote."""
        table = pq.read_table(path, page_checksum_verification=True)
        items = int(table.schema.metadata[b"items"])
        return cls.of_sorted(items, *(table[c].to_numpy() for c in ("item", "neighbour", "score")))

    @classmethod
    def none(cls, items: int) -> Neighbours:
        """Of items that have no neighbours."""
        return cls(np.zeros(items + 1, np.int64), NO_ROWS, np.empty(0, np.float32))

    @classmethod
    def of_sorted(cls, items: int, item: Any, neighbour: Any, score: Any) -> Neighbours:
        """From pairs in order of ``item``, the best neighbour of each first; all (pairs,)."""
        starts = np.searchsorted(item, np.arange(items + 1)).astype(np.int64)
        return cls(starts, np.asarray(neighbour, np.int32), np.asarray(score, np.float32))


def _looked_up(known: ItemCodes, scores: npt.NDArray[np.float32], rows: ItemCodes) -> npt.NDArray[np.float32]:
    """Scores of ``rows`` (n,) where they are among ``known`` (sorted); NaN else."""
    if not len(known):
        return np.full(len(rows), np.nan, np.float32)
    at = np.minimum(np.searchsorted(known, rows), len(known) - 1)
    return np.where(known[at] == rows, scores[at], np.nan).astype(np.float32)
