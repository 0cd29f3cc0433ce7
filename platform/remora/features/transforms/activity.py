"""What user activity and item activity have in common: counts, distinct partners and mean values of a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from remora.features.transforms.windows import DAY_COLUMN, Windows, with_day


class Activity:
    """Daily aggregates of one partition of events (all events of some keys), and the windows over them.

    ``events`` has ``user_id``, ``item_id``, ``event_type``, ``event_timestamp`` and perhaps ``value``.
    """

    def __init__(
        self, events: pl.DataFrame, key: str, other: str, *, types: Sequence[str], windows: Sequence[int], until: int
    ) -> None:
        if "value" not in events.columns:
            events = events.with_columns(value=pl.lit(None, pl.Float64))
        events = with_day(events).with_columns(pl.col("value").cast(pl.Float64).fill_nan(None))
        daily = events.group_by(key, DAY_COLUMN).agg(
            *((pl.col("event_type") == name).sum().cast(pl.Int64).alias(f"type {name}") for name in types),
            pl.len().cast(pl.Int64).alias("events"),
            pl.col("value").sum().alias("value sum"),
            pl.col("value").count().cast(pl.Int64).alias("values"),
            pl.col("event_timestamp").min().dt.epoch("us").alias("first"),
            pl.col("event_timestamp").max().dt.epoch("us").alias("last"),
        )
        self._key, self._other, self._types, self._sizes = key, other, tuple(types), tuple(windows)
        self._pairs = events.select(key, other, DAY_COLUMN).unique()
        self.windows = Windows(daily.sort(key, DAY_COLUMN), key, windows, until)

    def columns(self, distinct_name: str) -> dict[str, pl.Series]:
        """The columns that both groups have, one row a snapshot; ``last_event_at`` in seconds since 1970."""
        named: dict[str, pl.Series] = {self._key: self.windows.keys, "event_timestamp": self.windows.midnights}
        for size in self._sizes:
            for name in self._types:
                named[f"count_{name}_{size}d"] = pl.Series(self.count(name, size))
            distinct = self.windows.distinct(self._pairs, self._key, self._other, size)
            named[f"{distinct_name}_{size}d"] = pl.Series(distinct)
            named[f"mean_value_{size}d"] = self._mean_value(size)
        named["mean_value"] = self._mean_value(None)
        named["count_total"] = pl.Series(self.windows.count("events"))
        named["last_event_at"] = pl.Series(self.windows.last("last") / 1e6, dtype=pl.Float64)
        return named

    def count(self, event_type: str, window: int | None) -> np.ndarray:
        """Events of one type in the trailing window, shape (snapshots,)."""
        return self.windows.count(f"type {event_type}", window)

    def _mean_value(self, window: int | None) -> pl.Series:
        values = self.windows.count("values", window)
        mean = self.windows.total("value sum", window) / np.maximum(values, 1)
        return pl.Series(np.where(values > 0, mean, np.nan), dtype=pl.Float32).fill_nan(None)
