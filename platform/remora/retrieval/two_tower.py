"""The trained towers as stages read them: the user's encoder and the index of items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remora.contracts.errors import DataError
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex

TOWER_FILES = (
    "towers.safetensors",
    "towers.json",
    "item_vectors.safetensors",
    "index.faiss",
    "index.safetensors",
    "vocabulary.parquet",
)


@dataclass(frozen=True)
class Towers:
    """What the retrieval artifact holds, live."""

    encoder: UserEncoder
    index: ItemIndex

    @classmethod
    def load(cls, folder: Path) -> Towers:
        """From a local folder with the files of :data:`TOWER_FILES`. DataError when they are not of one training."""
        encoder, index = UserEncoder.load(folder), ItemIndex.load(folder / "index.faiss")
        if (len(index), index.dimension) != tuple(encoder.item_vectors.shape):
            raise DataError(
                f"The index holds {len(index):,} vectors of {index.dimension} numbers, the towers "
                f"{encoder.item_vectors.shape[0]:,} of {encoder.item_vectors.shape[1]}: they come from different "
                f"bundles. Serve a bundle as it was built."
            )
        return cls(encoder, index)
