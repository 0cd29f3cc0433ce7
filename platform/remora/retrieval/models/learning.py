"""What a retrieval model learns from, and what makes one a component."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:  # settings import the components that they name
    from typing import Self

    import pyarrow as pa
    from ray.data import Dataset

    from remora.core.vocabulary import Vocabulary
    from remora.settings import Settings


@dataclass(frozen=True, kw_only=True)
class LearningData:
    """Everything that was known strictly before ``as_of`` (UTC).

    ``events`` are rows of the lake, ``users`` the versions of users that were valid then; ``vocabulary`` says which row
    an item has.
    """

    events: Dataset
    users: pa.Table
    vocabulary: Vocabulary
    settings: Settings
    as_of: datetime


class RetrievalModel(Protocol):
    """A component of the kind ``retrieval model``: learned each time that a bundle is built or a window replayed."""

    @classmethod
    def learn(cls, config: Any, data: LearningData) -> Self:
        """From what was known; ``config`` is the model's own."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files into an empty folder, in formats of a bundle: Parquet, safetensors, UBJSON, FAISS, JSON."""
        ...

    @classmethod
    def load(cls, config: Any, folder: Path) -> Self:
        """What :meth:`save` wrote."""
        ...
