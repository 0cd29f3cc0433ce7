"""Trailing windows over days, at exactly the midnights where the content of a window changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

DAY_COLUMN = "_day"
US_PER_DAY = 86_400_000_000

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


def with_day(events: pl.DataFrame) -> pl.DataFrame:
    """The events with the day (int64, days since 1970-01-01 UTC) that each falls on."""
    day = pl.col("event_timestamp").dt.epoch("us").floordiv(US_PER_DAY).alias(DAY_COLUMN)
    return events.with_columns(day)


def midnight(days: Ints) -> pl.Series:
    """Days since 1970-01-01 as the instants at which they begin, UTC, in microseconds."""
    return pl.Series("event_timestamp", days * US_PER_DAY).cast(pl.Datetime("us", "UTC"))


class Windows:
    """Snapshots of every key of one partition.

    ``daily`` has one row per key and active day, sorted by both. What happened on day d enters every window at
    midnight d+1 and leaves a window of w days at midnight d+1+w; a snapshot is taken at each of these midnights (not
    after ``until``) and at no other, so the last snapshot at or before a midnight is the state at that midnight.
    """

    def __init__(self, daily: pl.DataFrame, key: str, windows: Sequence[int], until: int) -> None:
        self._daily = daily
        day = daily[DAY_COLUMN].to_numpy().astype(np.int64)
        code = daily[key].rle_id().to_numpy().astype(np.int64)
        longest = max(windows)
        self._origin = int(day.min(initial=0)) - longest - 1
        self._span = int(day.max(initial=0)) - self._origin + longest + 3
        # (key, day) as one number: days of different keys are further apart than the longest window
        self._active = self._positions(code, day)
        changes = np.unique(np.concatenate([self._active + 1, *(self._active + 1 + w for w in windows)]))
        self._snapshots = changes[changes % self._span + self._origin <= until]
        self._before = np.searchsorted(self._active, self._snapshots)
        self._first = np.searchsorted(self._active, self._snapshots // self._span * self._span)
        self.keys = daily[key].gather(self._first)
        self.midnights = midnight(self._snapshots % self._span + self._origin)

    def count(self, column: str, window: int | None = None) -> Ints:
        """Sum of an integer column over the trailing ``window`` days; None is all time. Shape (snapshots,)."""
        running = np.concatenate([[0], np.cumsum(self._daily[column].to_numpy().astype(np.int64))])
        return running[self._before] - running[self._since(window)]

    def total(self, column: str, window: int | None = None) -> Doubles:
        """Sum of a float column over the trailing ``window`` days, each window added up on its own.

        (The difference of two running sums would leave the rounding error of values that have left the window.)
        """
        since, before = self._since(window), self._before
        # reduceat takes no position behind the last value, and a window may end there.
        values = np.append(self._daily[column].to_numpy().astype(np.float64), 0.0)
        bounds = np.stack([since, before], axis=1).ravel()
        sums = np.add.reduceat(values, bounds)[::2] if len(bounds) else np.empty(0)
        # Of an empty window reduceat returns the value at its start.
        return np.where(before > since, sums, 0.0)

    def distinct(self, pairs: pl.DataFrame, key: str, other: str, window: int) -> Ints:
        """How many different ``other`` each key met in the trailing ``window`` of days, shape (snapshots,).

        ``pairs`` are the distinct (key, other, day). A pair counts from the midnight after its day until the window
        has passed; where its next day comes sooner, the two stretches are one.
        """
        pairs = pairs.sort(key, other, DAY_COLUMN)
        entered = self._positions(pairs[key].rle_id().to_numpy(), pairs[DAY_COLUMN].to_numpy()) + 1
        same = (pairs.select(pl.struct(key, other).rle_id()).to_series().diff() == 0).fill_null(False).to_numpy()
        joined = same[1:] & (np.diff(entered) <= window)
        enters = np.sort(entered[np.concatenate([[True], ~joined])[: len(entered)]])
        leaves = np.sort(entered[np.concatenate([~joined, [True]])[: len(entered)]] + window)
        inside = np.searchsorted(enters, self._snapshots, "right") - np.searchsorted(leaves, self._snapshots, "right")
        return inside.astype(np.int64)

    def last(self, column: str) -> npt.NDArray[Any]:
        """The column's value on the last active day before each snapshot, shape (snapshots,)."""
        return self._daily[column].to_numpy()[self._before - 1]

    def first(self, column: str) -> npt.NDArray[Any]:
        """The column's value on the first active day of each snapshot's key, shape (snapshots,)."""
        return self._daily[column].to_numpy()[self._first]

    def _positions(self, code: npt.NDArray[np.integer], day: npt.NDArray[np.integer]) -> Ints:
        return code.astype(np.int64) * self._span + (day - self._origin)

    def _since(self, window: int | None) -> Ints:
        return self._first if window is None else np.searchsorted(self._active, self._snapshots - window)
