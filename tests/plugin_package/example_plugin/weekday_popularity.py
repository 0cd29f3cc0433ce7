"""A retrieval model: what users want on each day of the week, kept as one Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pydantic import Field

from remora.extensions import ComponentConfig

if TYPE_CHECKING:
    from pathlib import Path

    from remora.retrieval.models.learning import LearningData

FILE = "weekdays.parquet"
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class WeekdayPopularity:
    """Each item's share of what is wanted on a day: ``shares`` (7, n items), Monday first; 0 where none is."""

    class Config(ComponentConfig):
        """The settings of the model."""

        smoothing_events: float = Field(
            100.0, ge=0, le=1e9, description="events of all days that each day's are mixed with"
        )

    shares: np.ndarray

    @classmethod
    def learn(cls, config: Config, data: LearningData) -> WeekdayPopularity:
        """From positive events strictly before ``data.as_of``, counted by Ray Data."""
        from remora.retrieval.positive_events import COLUMNS, positive_events, rows_of

        rows, settings, as_of = rows_of(data.vocabulary), data.settings, data.as_of

        def counted(block: Any) -> Any:
            found = positive_events(pl.DataFrame(pl.from_arrow(block)), rows, settings, as_of)
            return found.group_by("row", day=pl.col("event_timestamp").dt.weekday() - 1).len("events").to_arrow()

        counts = np.zeros((len(DAYS), len(data.vocabulary)))
        parts = data.events.select_columns([*COLUMNS]).map_batches(counted, batch_format="pyarrow", batch_size=None)
        for part in parts.iter_batches(batch_format="numpy", batch_size=None):
            np.add.at(counts, (part["day"], part["row"]), part["events"])
        return cls(shares_of(counts, config.smoothing_events))

    def save(self, folder: Path) -> None:
        """A column for each day, a row for each item."""
        pl.DataFrame(self.shares.T, schema=DAYS).write_parquet(folder / FILE)

    @classmethod
    def load(cls, config: Config, folder: Path) -> WeekdayPopularity:
        """What :meth:`save` wrote."""
        return cls(np.ascontiguousarray(pl.read_parquet(folder / FILE).to_numpy().T))


def shares_of(counts: np.ndarray, smoothing_events: float) -> np.ndarray:
    """``(n + s * p) / (N + s)`` of counts (7, items): p is an item's share of all days, N the day's events.

    Dirichlet smoothing: Zhai and Lafferty, SIGIR 2001.
    """
    overall = counts.sum(axis=0) / max(counts.sum(), 1)
    events = counts.sum(axis=1, keepdims=True) + smoothing_events
    shares = np.divide(counts + smoothing_events * overall, events, out=np.zeros_like(counts), where=events > 0)
    return shares.astype(np.float32)
