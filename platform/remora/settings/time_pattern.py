"""Patterns of time: tried on a known instant when the settings are read, so that none loses a part of what it reads."""

from __future__ import annotations

from datetime import UTC, datetime

_SAMPLE = datetime(2023, 11, 26, 15, 42, 37, tzinfo=UTC)


def reader_pattern(pattern: str) -> str:
    """The pattern as Polars takes it: Python's ``.%f`` is its ``%.f``, whose own ``%f`` counts nanoseconds.

    >>> reader_pattern("%H:%M:%S.%f")
    '%H:%M:%S%.f'
    """
    return pattern.replace(".%f", "%.f")


def is_zoned(pattern: str) -> bool:
    """Does a text of this pattern name its offset from UTC?

    >>> is_zoned("%Y-%m-%dT%H:%M:%S%z"), is_zoned("%Y-%m-%d")
    (True, False)
    """
    return any(part in pattern for part in ("%z", "%:z", "%#z", "%+", "%s"))


def check_pattern(pattern: str) -> str:
    """The pattern itself; ValueError when it cannot be read, or when a date or an hour is lost on the way.

    >>> check_pattern("%d/%m/%Y %H:%M")
    '%d/%m/%Y %H:%M'
    """
    import polars as pl

    if "%Z" in pattern:
        raise ValueError(f"`{pattern}`: %Z is skipped, not read. Use %z for an offset, or give `timezone`.")
    if "%f" in (reading := reader_pattern(pattern)):
        raise ValueError(f"`{pattern}`: %f is read after a point alone. Write `%S.%f`, or %3f, %6f for a fixed length.")
    try:
        text = pl.Series([_SAMPLE]).dt.strftime(reading)
        read = text.str.to_datetime(reading, time_unit="us").item()
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise ValueError(
            f"`{pattern}` does not read what it writes ({why}). A pattern is e.g. `%Y-%m-%d %H:%M`."
        ) from error
    if read.date() != _SAMPLE.date():
        raise ValueError(f"`{pattern}` does not give the year, month and day: {text.item()} is read as {read.date()}.")
    if read.time() != datetime.min.time() and (read.hour, read.minute) != (_SAMPLE.hour, _SAMPLE.minute):
        raise ValueError(f"`{pattern}` does not give the hour: {_SAMPLE:%H:%M} is read as {read:%H:%M}.")
    return pattern
