"""The lake: the three tables as an immutable version under ``<home>/lake``, events partitioned by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from remora.contracts.artifacts import Artifact, Shelf
from remora.contracts.home import Home
from remora.contracts.tables import DAY, EVENT_TIMESTAMP, ITEM_ID
from remora.contracts.vocabulary import Vocabulary

if TYPE_CHECKING:
    from ray.data import Dataset


def lake_shelf(home: Home) -> Shelf:
    """Where versions of the lake are kept."""
    return Shelf(home, "lake", "remora data ingest")


@dataclass(frozen=True)
class Lake:
    """One version of the lake.

    The receipt holds ``counts`` (rows in, accepted and quarantined per table and reason), ``first`` and ``last``
    (event timestamps, ISO 8601, UTC).
    """

    artifact: Artifact

    @classmethod
    def open(cls, home: Home) -> Lake:
        """The current lake; NotBuilt when there is none."""
        return cls(lake_shelf(home).current())

    @property
    def version(self) -> str:
        """Fingerprint of the sources and the settings it was made from."""
        return self.artifact.version

    @property
    def first(self) -> datetime:
        """The first event's instant."""
        return datetime.fromisoformat(self.artifact.receipt["first"])

    @property
    def last(self) -> datetime:
        """The last event's instant."""
        return datetime.fromisoformat(self.artifact.receipt["last"])

    @property
    def end(self) -> datetime:
        """Midnight after the last event: when the last daily snapshot of features is taken."""
        return datetime.combine(self.last.date() + timedelta(days=1), datetime.min.time(), UTC)

    def days(self) -> list[date]:
        """Days that have events, in order."""
        found = self.artifact.home.folders(f"{self.artifact.folder}/events")
        return [date.fromisoformat(name.removeprefix(f"{DAY}=")) for name in found]

    def events(
        self, *, since: datetime | None = None, before: datetime | None = None, columns: list[str] | None = None
    ) -> Dataset:
        """Events with ``since`` <= event_timestamp < ``before`` as a Ray Dataset; only the days needed are read."""
        import ray.data
        from ray.data.expressions import col

        chosen = [
            day
            for day in self.days()
            if (since is None or day >= since.date())
            and (before is None or datetime.combine(day, datetime.min.time(), UTC) < before)
        ]
        if not chosen:
            return ray.data.from_arrow(self._event_schema().empty_table().select(columns or self._event_schema().names))
        read = columns if columns is None else list(dict.fromkeys([*columns, EVENT_TIMESTAMP]))
        events = ray.data.read_parquet(
            [self.artifact.at(f"events/{DAY}={day.isoformat()}") for day in chosen],
            filesystem=self.artifact.home.filesystem,
            partitioning=None,
            columns=read,
        )
        if since is not None:
            events = events.filter(expr=col(EVENT_TIMESTAMP) >= since)
        if before is not None:
            events = events.filter(expr=col(EVENT_TIMESTAMP) < before)
        return events

    def items(self) -> pa.Table:
        """Every version of every item; an item without a row in ``items`` is there with its id alone."""
        return self._table("items")

    def users(self) -> pa.Table:
        """Every version of every user that the source had a row for; only ``user_id`` when there was no source."""
        return self._table("users")

    def quarantine(self) -> pa.Table:
        """Rows that were not accepted."""
        return self._table("quarantine")

    def vocabulary(self) -> Vocabulary:
        """All item ids of the catalogue."""
        return Vocabulary(self.items()[ITEM_ID].to_pylist())

    def _table(self, name: str) -> pa.Table:
        return pq.read_table(self.artifact.at(name), filesystem=self.artifact.home.filesystem, partitioning=None)

    def _event_schema(self) -> pa.Schema:
        day = self.days()[0]
        folder = f"{self.artifact.folder}/events/{DAY}={day.isoformat()}"
        file = self.artifact.home.files(folder)[0]
        return pq.read_schema(self.artifact.home.at(f"{folder}/{file}"), filesystem=self.artifact.home.filesystem)
