"""What happened to an item lately: counts, popularity and trend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from remora.features.transforms.activity import Activity
from remora.features.transforms.transform import Transform, TransformContext
from remora.features.transforms.windows import Doubles


def item_activity(
    events: pl.DataFrame, *, types: Sequence[str], weights: Mapping[str, float], windows: Sequence[int], until: int
) -> pl.DataFrame:
    """Snapshots, one row each, of every item of a partition with all its events before ``until`` (days since 1970).

    As :func:`user_activity` with ``distinct_users_<w>d``, and ``first_event_at``, ``popularity`` (ever) and
    ``popularity_<w>d``: events that say a user wanted it, each with its type's weight (``weights``); and ``trend``.
    """
    activity = Activity(events, "item_id", "user_id", types=types, windows=windows, until=until)
    columns = activity.columns("distinct_users")
    columns["first_event_at"] = pl.Series(activity.windows.first("first") / 1e6, dtype=pl.Float64)

    def popularity(window: int | None) -> Doubles:
        positive = np.zeros(len(activity.windows.keys))
        for name, weight in weights.items():
            positive += weight * activity.count(name, window)
        return positive

    columns["popularity"] = pl.Series(popularity(None), dtype=pl.Float32)
    for window in windows:
        columns[f"popularity_{window}d"] = pl.Series(popularity(window), dtype=pl.Float32)
    columns["trend"] = pl.Series(_trend({w: popularity(w) for w in windows}), dtype=pl.Float32)
    return pl.DataFrame(columns)


def _trend(popularity: Mapping[int, Doubles]) -> Doubles:
    """Daily popularity over the second longest window, times how far it exceeds that over the longest.

    One event over the longest window is added to both rates, so that a single event is no trend.
    """
    long = max(popularity)
    short = max((w for w in popularity if w < long), default=long)
    recent, usual, one = popularity[short] / short, popularity[long] / long, 1.0 / long
    return recent * (recent + one) / (usual + one)


class ItemActivity(Transform):
    """Events, popularity and trend of the item, at the midnights where a window changes."""

    entity = "item"

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        """See :func:`item_activity`."""
        return item_activity(
            events,
            types=context.event_types,
            weights=context.weights,
            windows=context.windows_days,
            until=context.until_day,
        )
