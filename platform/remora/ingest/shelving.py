"""Which file of the lake a row goes to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import polars as pl

from remora.contracts.tables import DAY
from remora.ingest.census import Census
from remora.ingest.files import ORDER

FILE_ROWS = 1_000_000
QUARANTINE_FILE_ROWS = 200_000

FILE = "__file"


@dataclass(frozen=True)
class Shelving:
    """Files are numbered through all days, the quarantine's last; each holds about FILE_ROWS rows at most."""

    days: dict[date, range]
    quarantine: range

    @classmethod
    def of(cls, census: Census) -> Shelving:
        """As few files a day as FILE_ROWS allows."""
        next_file, days = 0, {}
        for day, rows in census.days.items():
            days[day] = range(next_file, next_file + math.ceil(rows / FILE_ROWS))
            next_file = days[day].stop
        parts = max(1, math.ceil(census.rejected / QUARANTINE_FILE_ROWS))
        return cls(days, range(next_file, next_file + parts))

    @property
    def files(self) -> int:
        """How many there are."""
        return self.quarantine.stop

    def of_day(self, day: pl.Expr) -> pl.Expr:
        """File of each accepted row; a day's rows spread over its files by their place."""
        first = day.replace_strict({d: files.start for d, files in self.days.items()}, return_dtype=pl.Int64)
        many = day.replace_strict({d: len(files) for d, files in self.days.items()}, return_dtype=pl.Int64)
        return (first + pl.col(ORDER) % many).cast(pl.Int32)

    def of_rejected(self) -> pl.Expr:
        """File of each rejected row."""
        return (self.quarantine.start + pl.col(ORDER) % len(self.quarantine)).cast(pl.Int32)

    def path_of(self, file: int) -> str:
        """The file's path in the lake's version."""
        if file in self.quarantine:
            return f"quarantine/events-{file - self.quarantine.start:05d}.parquet"
        day, files = next((day, files) for day, files in self.days.items() if file in files)
        return f"events/{DAY}={day.isoformat()}/{file - files.start:05d}.parquet"
