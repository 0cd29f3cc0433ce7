"""One Ray Data pass over events in which every user's events come together, in the order they happened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.ingest.lake import Lake

if TYPE_CHECKING:
    from ray.data import Dataset

SOURCE_ROW = "source_row"
COLUMNS = [USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP]


def map_users(
    lake: Lake,
    transform: Callable[[pl.DataFrame], pa.Table],
    *,
    before: datetime,
    partitions: int,
    columns: Sequence[str] = COLUMNS,
    shown: bool = False,
) -> Dataset:
    """Apply ``transform`` to hash partitions of users: each gets all events before ``before`` of some users, and with
    ``shown`` their impressions among them.

    Events are sorted by user, time and, where the lake knows it, their place in the source, so the outcome does not
    depend on how Ray schedules the pass. They have ``columns``, and by default user_id, item_id, event_type and
    event_timestamp; the Dataset has the columns that ``transform`` returns.
    """
    order = [USER_ID, EVENT_TIMESTAMP]
    if SOURCE_ROW in lake.event_schema.names:
        order.append(SOURCE_ROW)

    def partition(block: pa.Table) -> pa.Table:
        events = pl.DataFrame(pl.from_arrow(block))
        return transform(events.sort(*order, maintain_order=True))

    wanted = list(dict.fromkeys([*columns, *order]))
    events = lake.events(before=before, columns=wanted)
    if shown:
        events = events.union(lake.impressions(before=before, columns=wanted))
    return events.repartition(partitions, keys=[USER_ID]).map_batches(
        partition, batch_format="pyarrow", batch_size=None, zero_copy_batch=True
    )
