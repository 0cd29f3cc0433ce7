"""Items that were sent since the feature tables: events may name them, and their categories count."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID
from remora.events.entity_states import EntityStates
from remora.events.entity_update import EntityUpdate
from remora.events.update_tables import as_table
from remora.features.profiles import CATEGORY_NUMBERS, item_catalogue
from remora.features.transforms.transform import TransformContext
from remora.ingest.sent_updates import typed
from remora.settings import DataSettings


class SentItems:
    """What transforms know of them; ``types`` are the columns of the items of the lake."""

    def __init__(self, states: EntityStates, types: pa.Schema, data: DataSettings) -> None:
        self._states, self._types, self._data = states, types, data

    def known(self) -> list[EntityUpdate]:
        """What holds of all that were ever sent, those that are deleted too: they have events, and so they count."""
        return list(self._states.current.values())

    def poll(self) -> list[EntityUpdate]:
        """What came. StorageError, NotReady while the log cannot be read."""
        return self._states.poll(0.0)

    def added_to(self, context: TransformContext, updates: list[EntityUpdate]) -> TransformContext:
        """The context with their categories, as far as the feature tables have a number for them."""
        there = [one for one in updates if not one.is_deleted]
        if context.item_categories is None or not there:
            return context
        items = typed("items", as_table(there), self._types)
        rows = pl.DataFrame(pl.from_arrow(item_catalogue(items, self._data, list(context.category_names))))
        rows = rows.select(ITEM_ID, EVENT_TIMESTAMP, pl.col(CATEGORY_NUMBERS).list.drop_nulls())
        known = context.item_categories
        return replace(context, item_categories=pl.concat([known, rows.cast(known.schema)]))

    def close(self) -> None:
        """Let the log go."""
        self._states.close()
