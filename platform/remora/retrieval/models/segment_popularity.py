"""What the users of a segment want, as a model that a source reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig

if TYPE_CHECKING:  # settings import the components that they name
    from pathlib import Path

    from remora.retrieval.models.learning import LearningData
    from remora.retrieval.segments import Segments
    from remora.settings import Settings

FILE = "segments.parquet"


@dataclass(frozen=True, kw_only=True)
class SegmentPopularity:
    """Popular items of each segment of users, a segment being a value of ``column``."""

    class Config(ComponentConfig):
        """The settings of the model."""

        column: str = Field(min_length=1, description="of data.user_columns: people of one value are one segment")
        smoothing_events: float = Field(
            1_000.0, ge=0, le=1e12, description="events of all users that each segment's are mixed with"
        )

    segments: Segments
    column: str

    @classmethod
    def check_settings(cls, config: Config, settings: Settings) -> None:
        """ValueError where the users have no such column."""
        if config.column not in settings.data.user_columns:
            declared = ", ".join(settings.data.user_columns) or "nothing"
            raise ValueError(f"its column is '{config.column}'; data.user_columns has: {declared}")

    @classmethod
    def learn(cls, config: Config, data: LearningData) -> SegmentPopularity:
        """See :class:`~remora.retrieval.models.learning.RetrievalModel`."""
        from remora.retrieval.segments import count

        found = count(data.events, data.users, data.vocabulary, data.settings, data.as_of, config)
        return cls(segments=found, column=config.column)

    def save(self, folder: Path) -> None:
        """Write one Parquet file."""
        self.segments.save(folder / FILE)

    @classmethod
    def load(cls, config: Config, folder: Path) -> SegmentPopularity:
        """What :meth:`save` wrote."""
        from remora.retrieval.segments import Segments

        return cls(segments=Segments.load(folder / FILE), column=config.column)
