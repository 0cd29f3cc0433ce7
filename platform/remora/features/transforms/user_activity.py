"""What a user did lately."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from remora.features.transforms.activity import Activity
from remora.features.transforms.transform import Transform, TransformContext


def user_activity(events: pl.DataFrame, *, types: Sequence[str], windows: Sequence[int], until: int) -> pl.DataFrame:
    """Snapshots of every user of a partition that holds all of their events before ``until`` (days since 1970).

    Per window w: ``count_<type>_<w>d``, ``distinct_items_<w>d`` (int64) and ``mean_value_<w>d`` (float32, null
    without values); ever: ``mean_value``, ``count_total``, ``last_event_at`` (float64, seconds since 1970).
    A row's ``event_timestamp`` is a midnight; events at or after it are not in the row.
    """
    activity = Activity(events, "user_id", "item_id", types=types, windows=windows, until=until)
    return pl.DataFrame(activity.columns("distinct_items"))


class UserActivity(Transform):
    """Events of the user in trailing windows, at the midnights where a window changes."""

    entity = "user"
    daily = True

    @classmethod
    def transform(cls, config: Any, events: pl.DataFrame, context: TransformContext) -> pl.DataFrame:
        """See :func:`user_activity`."""
        return user_activity(events, types=context.event_types, windows=context.windows_days, until=context.until_day)
