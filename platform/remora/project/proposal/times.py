"""When is a time? The unit or the pattern by which the values of a column are plausible instants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from remora.core.tables import TIMESTAMP
from remora.ingest.casting import read_as
from remora.project.proposal.columns import ColumnFacts

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
MOST_VALUES = 20_000
PLAUSIBLE = 0.95

DATES = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%y", "%d/%m/%y",
    "%m/%d/%y", "%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%b %d, %Y", "%b %d %Y", "%d %B %Y", "%B %d, %Y",
)  # fmt: skip
CLOCKS = (
    "", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M:%S %p", " %I:%M %p", ", %H:%M:%S", ", %H:%M", " %H:%M:%S.%f",
    " %H:%M:%S %z", ":%H:%M:%S %z",
)  # fmt: skip
WHOLE = ("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z")
DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}

LIKE_A_DATE = r"^(\d{1,4}[-./ ](\d|[A-Za-z]{3})|[A-Za-z]{3,9},? +(\d|[A-Za-z]{3}))"
"""Text that may begin one of the patterns."""

SWAPPED = {"%d/%m/": "%m/%d/", "%d-%m-": "%m-%d-", "%m/%d/": "%d/%m/", "%m-%d-": "%d-%m-"}
SPAN_RATIO = 3.0
ORDER_MARGIN = 0.1


@dataclass(frozen=True)
class TimeReading:
    """``options`` of the source's `time`, by which a ``share`` of the values is plausible; ``instants`` in their order.

    ``zoned``: the instants are certain. ``doubt``: what was guessed, and what to do about it.
    """

    options: dict[str, Any]
    share: float
    instants: pl.Series
    zoned: bool
    why: str
    doubt: tuple[str, str] | None = None

    @property
    def date_only(self) -> bool:
        """Are all instants midnights?"""
        return bool((self.instants.dt.truncate("1d") == self.instants).all())

    @property
    def first(self) -> datetime:
        """The earliest."""
        found: datetime = self.instants.min()  # type: ignore[assignment]
        return found

    @property
    def last(self) -> datetime:
        """The latest."""
        found: datetime = self.instants.max()  # type: ignore[assignment]
        return found

    @property
    def distinct(self) -> int:
        """Different instants."""
        return self.instants.n_unique()


def read_time(column: ColumnFacts, *, now: datetime) -> TimeReading | None:
    """The reading by which nearly all values are instants between 1990 and now; None where the column is no time."""
    values = column.raw.drop_nulls()
    if isinstance(column.raw.dtype, pl.String | pl.Categorical | pl.Enum):
        values = column.texts
    if not len(values) or column.kind in ("boolean", "list", "other", "empty"):
        return None
    some = values.gather_every(max(1, len(values) // MOST_VALUES))
    found = next(
        (r for options, why in _candidates(column, some) if (r := _reading(column, some, options, why, now))), None
    )
    return found if found is None or "pattern" not in found.options else _settled(column, some, found, now)


def _candidates(column: ColumnFacts, values: pl.Series) -> Iterator[tuple[dict[str, Any], str]]:
    """Readings to try, the likeliest first."""
    if column.kind == "time":
        yield {}, "times of the file"
        return
    if column.kind in ("integer", "number"):
        digits = values.cast(pl.Float64, strict=False).abs().median()
        length = len(str(int(digits))) if isinstance(digits, float) else 0
        if length in DIGITS and column.kind == "integer":
            yield {"pattern": DIGITS[length]}, f"numbers of {length} digits that are dates"
        for unit, name in UNITS.items():
            yield {"unit": unit}, f"{name} since 1970"
        return
    yield {}, "ISO 8601"
    few = values.head(50)
    if not few.str.contains(LIKE_A_DATE).all():
        return
    for pattern in (*(f"{date}{clock}" for date in DATES for clock in CLOCKS), *WHOLE):
        if _read(column, few, {"pattern": pattern}).null_count() <= 2:
            yield {"pattern": pattern}, f"as in {few[0]}"


def _reading(
    column: ColumnFacts, values: pl.Series, options: dict[str, Any], why: str, now: datetime
) -> TimeReading | None:
    read = _read(column, values, options)
    share = float(read.is_between(EARLIEST, now + timedelta(days=1)).sum() or 0) / len(values)
    if share < PLAUSIBLE:
        return None
    pattern = options.get("pattern", "")
    naive = isinstance(column.raw.dtype, pl.Datetime) and column.raw.dtype.time_zone is None
    text = (
        column.kind == "text"
        and not pattern
        and not values.head(100).str.contains(r"(?i)(z|utc|[+-]\d\d:?\d\d)$").all()
    )
    return TimeReading(
        options=options,
        share=share,
        instants=read.drop_nulls(),
        zoned=not (naive or text or (pattern and "%z" not in pattern)),
        why=why,
    )


def _read(column: ColumnFacts, values: pl.Series, options: dict[str, Any]) -> pl.Series:
    time = column.source.time.model_validate(options)
    source = column.source.model_copy(update={"time": time})
    frame = values.to_frame(column.name)
    return frame.select(read_as(TIMESTAMP, column.name, values.dtype, source)).to_series()


def _settled(column: ColumnFacts, values: pl.Series, found: TimeReading, now: datetime) -> TimeReading:
    """Between day first and month first, where the values can be read as both."""
    pattern = found.options["pattern"]
    begin = next((begin for begin in SWAPPED if pattern.startswith(begin)), None)
    if begin is None:
        return found
    swapped = {"pattern": pattern.replace(begin, SWAPPED[begin], 1)}
    other = _reading(column, values, swapped, found.why, now)
    if other is None:
        return found
    month, day = sorted((found, other), key=lambda reading: reading.options["pattern"].startswith("%d"))
    spans = [reading.last - reading.first for reading in (day, month)]
    order = [float((reading.instants.diff().drop_nulls() >= timedelta(0)).mean() or 0.0) for reading in (day, month)]  # type: ignore[arg-type, operator]
    if abs(order[0] - order[1]) > ORDER_MARGIN or (max(order) == 1 and min(order) < 1):
        chosen, why = (
            (day, "rows are in order of time so") if order[0] > order[1] else (month, "rows are in order of time so")
        )
    elif max(spans) > SPAN_RATIO * max(min(spans), timedelta(days=1)):
        chosen, why = (day if spans[0] < spans[1] else month), "the other reading leaves gaps between days"
    elif "%p" in pattern:
        chosen, why = month, "AM and PM are American"
    else:
        chosen, why = day, "nothing tells it from the other"
    other = month if chosen is day else day
    first = "Day" if chosen is day else "Month"
    doubt = (
        f"{first} first or not: '{column.name}' can be read both ways; {why}",
        f'If it is wrong, write `pattern: "{other.options["pattern"]}"`.',
    )
    return TimeReading(chosen.options, chosen.share, chosen.instants, chosen.zoned, f"{chosen.why}; {why}", doubt)
