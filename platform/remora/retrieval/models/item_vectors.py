"""Vectors of the items that a model was trained on, with the index that finds the nearest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from remora.core.errors import DataError
from remora.core.vocabulary import ItemCodes
from remora.pipeline.candidates import Floats, Retrieved
from remora.retrieval.index import ItemIndex
from remora.retrieval.index_selection import index_of

FILE, INDEX = "items.safetensors", "index.faiss"


@dataclass(frozen=True)
class ItemVectors:
    """``vectors`` (n, d) of the items at ``rows`` (n,) of the vocabulary, sorted; other items have none."""

    rows: ItemCodes
    vectors: Floats
    index: ItemIndex

    @classmethod
    def build(cls, rows: ItemCodes, vectors: Floats, users: Floats) -> ItemVectors:
        """With an index that is exact for a small catalogue, else what answers vectors of ``users`` (m, d) fastest."""
        return cls(rows, vectors, index_of(vectors, users))

    def positions(self, rows: ItemCodes) -> npt.NDArray[np.int64]:
        """Where each of ``rows`` (n,) stands among :attr:`rows`; -1 for an item without a vector."""
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        return np.where(self.rows[at] == rows, at, -1)

    def known(self, rows: ItemCodes) -> npt.NDArray[np.int64]:
        """Positions (m,) of those of ``rows`` (n,) that have a vector, in their order."""
        found = self.positions(rows)
        return found[found >= 0]

    def search(self, vector: Floats, k: int) -> Retrieved:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`."""
        found = self.index.search(vector, k)
        return Retrieved(self.rows[found.rows], found.scores)

    def scores(self, vector: Floats, rows: ItemCodes) -> Floats:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`."""
        at = self.positions(rows)
        return np.where(at >= 0, self.vectors[at] @ vector, np.nan).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write the vectors and the index."""
        save_file({"rows": self.rows, "vectors": self.vectors}, folder / FILE)
        self.index.save(folder / INDEX)

    @classmethod
    def load(cls, folder: Path) -> ItemVectors:
        """What :meth:`save` wrote. DataError where the files do not belong together."""
        tensors, index = load_file(folder / FILE), ItemIndex.load(folder / INDEX)
        found = cls(tensors["rows"], tensors["vectors"], index)
        if not len(found.rows) == len(found.vectors) == len(index) or index.dimension != found.vectors.shape[1]:
            raise DataError(
                f"'{folder}' has {len(found.rows):,} item rows, vectors of the shape {found.vectors.shape}, and an "
                f"index of {len(index):,} vectors of {index.dimension} numbers: they come from different bundles. "
                f"Serve a bundle as it was built."
            )
        return found
