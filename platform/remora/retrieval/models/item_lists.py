"""The base of models that are a list of other items for each item."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path
    from typing import Self

    from remora.retrieval.neighbours import Neighbours

FILE = "neighbours.parquet"

STEP_DECAY = 0.93
"""What each earlier item of a history weighs of the one after it, where a model says nothing else."""


@dataclass(frozen=True, kw_only=True)
class ItemLists:
    """Neighbours of every item; the sources of a history and of a seed item read them.

    ``step_decay`` is what each earlier item of a history weighs of the one after it.
    """

    neighbours: Neighbours
    step_decay: float = STEP_DECAY

    def save(self, folder: Path) -> None:
        """Write one Parquet file."""
        self.neighbours.save(folder / FILE)

    @classmethod
    def load(cls, config: Any, folder: Path) -> Self:
        """What :meth:`save` wrote."""
        from remora.retrieval.neighbours import Neighbours

        return cls(neighbours=Neighbours.load(folder / FILE), step_decay=cls.decay_of(config))

    @classmethod
    def decay_of(cls, config: Any) -> float:
        """The ``step_decay`` of a model with these settings."""
        return STEP_DECAY
