"""The trained towers as stages read them: the user's encoder and the index of items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remora.core.errors import DataError
from remora.core.vocabulary import ItemCodes
from remora.pipeline import Query, Retrieved
from remora.pipeline.candidates import Floats
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
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
    """What the retrieval artifact holds, live; a vector is a unit vector, and one number for the popularity."""

    encoder: UserEncoder
    index: ItemIndex

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
        return cls(encoder, index)

    def of_user(self, query: Query) -> Floats | None:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`: of the history and the profile."""
        return self.encoder.encode(query) if query.user_found or len(query.history) else None

    def of_item(self, row: int) -> Floats | None:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`: an item without events has one too."""
        vector = self.index.vector(row).copy()
        vector[-1] = 0.0  # likeness alone: how popular an item is does not make it more alike
        return vector

    def search(self, vector: Floats, k: int) -> Retrieved:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`."""
        return self.index.search(vector, k)

    def scores(self, vector: Floats, rows: ItemCodes) -> Floats:
        """See :class:`~remora.retrieval.models.vector_model.VectorModel`."""
        return self.encoder.scores(vector, rows)
