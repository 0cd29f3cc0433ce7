"""The trained towers as stages read them: the user's encoder and the index of items."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from remora.core.errors import DataError
from remora.core.vocabulary import ItemCodes
from remora.pipeline import Mask, Query, Retrieved
from remora.pipeline.candidates import Floats
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.item_content import ItemContent
from remora.retrieval.models.vector_model import VectorModel
from remora.settings.components import HistoryEncoderChoice

TOWER_FILES = (
    "towers.safetensors",
    "towers.json",
    "item_vectors.safetensors",
    "index.faiss",
    "index.safetensors",
    "vocabulary.parquet",
)


@dataclass(frozen=True)
class Towers(VectorModel):
    """What the retrieval artifact holds, live; a vector is a unit vector, and one number for the popularity.

    ``item_content`` makes vectors of items that came later, None where it was not kept. With the vectors of such items
    (``live_vectors``, of the rows behind those of the index) it ``takes_live_rows``: they are compared one by one,
    beside the index, and read in a history.
    """

    encoder: UserEncoder
    index: ItemIndex
    item_content: ItemContent | None = None
    live_vectors: Floats | None = None

    @classmethod
    def load(cls, folder: Path, chosen: HistoryEncoderChoice) -> Towers:
        """From a local folder with the files of :data:`TOWER_FILES`. DataError when they are not of one training, or
        not of the encoder that the settings have ``chosen``."""
        encoder, index = UserEncoder.load(folder, chosen), ItemIndex.load(folder / "index.faiss")
        if (len(index), index.dimension) != tuple(encoder.item_vectors.shape):
            raise DataError(
                f"The index holds {len(index):,} vectors of {index.dimension} numbers, the towers "
                f"{encoder.item_vectors.shape[0]:,} of {encoder.item_vectors.shape[1]}: they come from different "
                f"bundles. Serve a bundle as it was built."
            )
        return cls(encoder, index, ItemContent.load(folder, encoder.spec))

    @property
    def takes_live_rows(self) -> bool:  # type: ignore[override]
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`."""
        return self.live_vectors is not None

    def with_live_items(self, vectors: Floats) -> Towers:
        """The same, with vectors (m, d + 1) for the rows behind its own, as ``item_content`` makes them."""
        return replace(self, encoder=self.encoder.with_live_items(vectors), live_vectors=vectors)

    def of_user(self, query: Query) -> Floats | None:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`: of the history and the profile."""
        return self.encoder.encode(query) if query.user_found or len(query.history) else None

    def of_item(self, row: int) -> Floats | None:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`: an item without events has one too."""
        late = None if self.live_vectors is None or row < len(self.index) else self.live_vectors
        vector = (self.index.vector(row) if late is None else late[row - len(self.index)]).copy()
        vector[-1] = 0.0  # likeness alone: how popular an item is does not make it more alike
        return vector

    def search(self, vector: Floats, k: int, allowed: Mask | None = None) -> Retrieved:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`; of the items that are ``allowed``
        (items,)."""
        known = len(self.index)
        found = self.index.search(vector, k, None if allowed is None else allowed[:known])
        if self.live_vectors is None:
            return found
        rows = np.arange(known, known + len(self.live_vectors), dtype=np.int32)
        rows = rows if allowed is None else rows[allowed[known:]]
        scores = np.concatenate([found.scores, self.live_vectors[rows - known] @ vector])
        best = np.argsort(-scores, kind="stable")[:k]
        return Retrieved(np.concatenate([found.rows, rows])[best], scores[best])

    def scores(self, vector: Floats, rows: ItemCodes) -> Floats:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`."""
        return self.encoder.scores(vector, rows)
