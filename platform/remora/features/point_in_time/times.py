"""Instants as integers: one unit for a whole join, so that no side is rounded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.errors import DataError, WrongType

Unit = Literal["us", "ns"]
Ticks = npt.NDArray[np.int64]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PER_SECOND: dict[Unit, int] = {"us": 1_000_000, "ns": 1_000_000_000}


def unit_of(kinds: Iterable[pa.DataType]) -> Unit:
    """Microseconds, unless one of the columns has nanoseconds.

    >>> unit_of([pa.timestamp("s"), pa.timestamp("ns", "UTC")])
    'ns'
    """
    return "ns" if any(pa.types.is_timestamp(kind) and kind.unit == "ns" for kind in kinds) else "us"


def check_instant(kind: pa.DataType, column: str, where: str) -> None:
    """WrongType unless the column holds instants or dates."""
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise WrongType(column, str(kind), "a timestamp", where)


def ticks(column: pa.ChunkedArray, unit: Unit) -> tuple[Ticks, npt.NDArray[np.bool_]]:
    """Since 1970 UTC in ``unit``, shape (n,), and where there is a value.

    A time without a zone is in UTC, as everywhere in Feast. DataError for one that the unit cannot hold.
    """
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        column = column.cast(pa.timestamp(column.type.unit))  # the same instant, in UTC
    try:
        numbers = column.cast(pa.timestamp(unit)).cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"A timestamp does not fit {unit} since 1970, which the other side of the join needs: {error}. Store both "
            f"sides in microseconds."
        ) from error
    there = pc.is_valid(column).to_numpy(zero_copy_only=False)
    return pc.fill_null(numbers, 0).to_numpy(), there


def ticks_of(instant: datetime, unit: Unit) -> int:
    """One instant; without a zone it is in UTC.

    >>> ticks_of(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), "us")
    1000000
    """
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1) * (PER_SECOND[unit] // 1_000_000)
