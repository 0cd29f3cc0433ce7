"""What users wanted before an instant, as item rows in order: what item-item lists are counted and fitted from."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl

from remora.contracts.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.contracts.vocabulary import Vocabulary
from remora.settings import Settings

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
