"""What users wanted before an instant, as item rows in order: what item-item lists are counted and fitted from."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

COLUMNS = [USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP]


def rows_of(vocabulary: Vocabulary) -> pl.DataFrame:
    """Columns item_id and row."""
    return pl.DataFrame({ITEM_ID: vocabulary.ids, "row": np.arange(len(vocabulary), dtype=np.int32)})


def positive_events(events: pl.DataFrame, rows: pl.DataFrame, settings: Settings, as_of: datetime) -> pl.DataFrame:
    """The positive events strictly before ``as_of`` with their item ``row``, by user, time and row."""
    return (
        events.filter(
            pl.col(EVENT_TYPE).is_in(list(settings.data.positive_types)), pl.col(EVENT_TIMESTAMP) < pl.lit(as_of)
        )
        .join(rows, on=ITEM_ID)
        .sort(USER_ID, EVENT_TIMESTAMP, "row")
    )


def positive_histories(
    events: Dataset,
    vocabulary: Vocabulary,
    settings: Settings,
    as_of: datetime,
    *,
    longest: int,
    first_only: bool = False,
) -> pa.Table:
    """Of each user the last ``longest`` positive item rows before ``as_of``, in order, brought together by Ray Data.

    Columns user_id and row, a list; by user. ``first_only``: a user's first event with an item and no later one.
    """
    rows = rows_of(vocabulary)

    def of_users(block: pa.Table) -> pa.Table:
        ordered = positive_events(pl.DataFrame(pl.from_arrow(block)), rows, settings, as_of)
        if first_only:
            ordered = ordered.unique([USER_ID, "row"], keep="first", maintain_order=True)
        return ordered.group_by(USER_ID, maintain_order=True).agg(pl.col("row").tail(longest)).to_arrow()

    found = (
        events.select_columns([*COLUMNS])
        .repartition(settings.features.partitions, keys=[USER_ID])
        .map_batches(of_users, batch_format="pyarrow", batch_size=None)
    )
    parts = [part for part in found.iter_batches(batch_format="pyarrow", batch_size=None) if len(part)]
    if not parts:
        return of_users(events.schema().base_schema.empty_table().select(COLUMNS))
    return pa.concat_tables(parts).sort_by(USER_ID)  # users come in the order in which their tasks ended
