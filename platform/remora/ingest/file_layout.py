"""Which file of the lake a row goes to."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from remora.core.tables import DAY
from remora.ingest.files import ORDER
from remora.ingest.scan import EventScan

FILE_ROWS = 1_000_000
QUARANTINE_FILE_ROWS = 200_000

FILE = "__file"


@dataclass(frozen=True)
class FileLayout:
    """Files are numbered through all days, the quarantine's last; each holds about FILE_ROWS rows at most.

    ``quarantined``: files that the quarantine has already.
    """

    days: dict[date, range]
    quarantine: range
    quarantined: int = 0

    @classmethod
    def of(cls, scan: EventScan, before: Mapping[date, int] | None = None, quarantined: int = 0) -> FileLayout:
        """As few files a day as FILE_ROWS allows; only the days of the scan, with the events they had ``before``."""
        next_file, days, had = 0, {}, before or {}
        for day, rows in scan.days.items():
            days[day] = range(next_file, next_file + math.ceil((rows + had.get(day, 0)) / FILE_ROWS))
            next_file = days[day].stop
        parts = max(1, math.ceil(scan.rejected / QUARANTINE_FILE_ROWS))
        return cls(days, range(next_file, next_file + parts), quarantined)

    @property
    def files(self) -> int:
        """How many there are."""
        return self.quarantine.stop

    def of_day(self, day: pl.Expr) -> pl.Expr:
        """File of each accepted row; a day's rows spread over its files by their place."""
        if not self.days:
            return pl.lit(None, pl.Int32)
        first = day.replace_strict({d: files.start for d, files in self.days.items()}, return_dtype=pl.Int64)
        many = day.replace_strict({d: len(files) for d, files in self.days.items()}, return_dtype=pl.Int64)
        return (first + pl.col(ORDER) % many).cast(pl.Int32)

    def of_rejected(self) -> pl.Expr:
        """File of each rejected row."""
        return (self.quarantine.start + pl.col(ORDER) % len(self.quarantine)).cast(pl.Int32)

    def path_of(self, file: int) -> str:
        """The file's path in the lake's version."""
        if file in self.quarantine:
            return f"quarantine/events-{self.quarantined + file - self.quarantine.start:05d}.parquet"
        day, part, _ = self.share_of(file)
        return f"events/{DAY}={day.isoformat()}/{part:05d}.parquet"

    def share_of(self, file: int) -> tuple[date, int, int]:
        """The day of a file of events, which of the day's files it is, from 0, and how many the day has."""
        day, files = next((day, files) for day, files in self.days.items() if file in files)
        return day, file - files.start, len(files)
