"""Updates of items as rows of a snapshot, made by the transforms of the batch build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID, ITEM_PROFILE, TIMESTAMP
from remora.core.vocabulary import Vocabulary
from remora.events.entity_update import EntityUpdate
from remora.features.profiles import item_catalogue, item_profile
from remora.features.snapshot import ItemSnapshot
from remora.ingest.schema import DELETED
from remora.settings import DataSettings

CATALOGUE = "item_catalogue__"
ENTERED, THERE = f"{CATALOGUE}entered_at", f"{CATALOGUE}in_catalogue"

OVERLAP = timedelta(hours=1)
"""Before a snapshot's instant. It has what was sent earlier, and perhaps something newer of it from another source."""


@dataclass(frozen=True, eq=False)
class ItemUpdates:
    """What holds of the items that were sent and that ``base`` does not have as they are now.

    ``table`` has ``item_id``, ``event_timestamp``, ``__deleted`` and the columns that ``data`` declares, by the names
    of the lake, sorted by id; a deleted item's columns are null.
    """

    base: ItemSnapshot
    data: DataSettings
    table: pa.Table

    @classmethod
    def none(cls, base: ItemSnapshot, data: DataSettings) -> ItemUpdates:
        """Before any."""
        return cls(base, data, _schema(base, data).empty_table())

    def plus(self, updates: Iterable[EntityUpdate]) -> ItemUpdates:
        """With those that came since, in the place of those of the same items; reading costs nothing of the others.

        Deleted items count where the base has them. A deletion holds until the item is sent again; another update
        counts where it is later than the base, or of an item that the base does not have.
        """
        came = list(updates)
        ids = pa.array([update.id for update in came], pa.string())
        others = self.table.filter(pc.invert(pc.is_in(self.table[ITEM_ID], ids)))
        counted = _rows([update for update in came if self._counts(update)], self.table.schema)
        table = pa.concat_tables([others, counted]).combine_chunks()
        return replace(self, table=table.sort_by(ITEM_ID))

    def _counts(self, update: EntityUpdate) -> bool:
        if update.id not in self.base.vocabulary:
            return not update.is_deleted
        return update.is_deleted or update.instant > self.base.instant - OVERLAP

    def latest_new(self, most: int) -> tuple[ItemUpdates, int]:
        """With at most so many items that the base does not have, those that were sent last; and how many are left
        out."""
        ids = self.table[ITEM_ID].to_pylist()
        new = np.flatnonzero([id not in self.base.vocabulary for id in ids])
        if (excess := len(new) - most) <= 0:
            return self, 0
        instants = self.table[EVENT_TIMESTAMP].cast(pa.int64()).to_numpy()[new]
        kept = np.ones(len(ids), bool)
        kept[new[np.argsort(instants, kind="stable")[:excess]]] = False
        return replace(self, table=self.table.filter(pa.array(kept))), excess

    def snapshot(self) -> ItemSnapshot:
        """These items as they are now, a row an update. What users did with an item is as in the base, and null of one
        that the base does not have."""
        base, items = self.base, self.table
        ids = items[ITEM_ID].combine_chunks()
        known = pa.array([base.vocabulary.row(id) for id in ids.to_pylist()], pa.int64())
        own = base.table.take(known)
        made = _made(items, base, self.data)
        there = pc.invert(items[DELETED])
        columns = {field.name: own[field.name] for field in base.table.schema}
        for name in made.keys() & columns.keys():
            columns[name] = pc.if_else(there, made[name].cast(columns[name].type), columns[name])
        columns[ITEM_ID] = ids
        columns[THERE] = made[THERE].cast(columns[THERE].type)
        if ENTERED in columns:  # an item of the base entered the catalogue when it did
            columns[ENTERED] = pc.if_else(pc.is_valid(own[THERE]), own[ENTERED], columns[ENTERED])
        last = pc.max(items[EVENT_TIMESTAMP]).as_py() or base.instant
        return replace(
            base, vocabulary=Vocabulary(items[ITEM_ID]), instant=max(base.instant, last), table=pa.table(columns)
        )


def _made(items: pa.Table, base: ItemSnapshot, data: DataSettings) -> Mapping[str, pa.ChunkedArray]:
    """The columns that the batch build makes of rows of items, by full name."""
    tables = {
        CATALOGUE: item_catalogue(items, data, list(base.category_names)),
        ITEM_PROFILE: item_profile(items, data),
    }
    return {
        f"{view}{name}": table[name]
        for view, table in tables.items()
        if table is not None
        for name in table.column_names
    }


def _schema(base: ItemSnapshot, data: DataSettings) -> pa.Schema:
    """Of updates; a column that was declared after the base was made is kept as text, and read by nothing."""
    fields = [pa.field(ITEM_ID, pa.string()), pa.field(EVENT_TIMESTAMP, TIMESTAMP), pa.field(DELETED, pa.bool_())]
    kinds = {field.name: field.type for field in base.table.schema}
    named = (data.title, data.category, data.available, *data.item_columns, *data.text_columns)
    declared = dict.fromkeys(name for name in named if name)
    return pa.schema([*fields, *(pa.field(name, kinds.get(f"{ITEM_PROFILE}{name}", pa.string())) for name in declared)])


def _rows(updates: Sequence[EntityUpdate], schema: pa.Schema) -> pa.Table:
    own = {
        ITEM_ID: pa.array([update.id for update in updates], pa.string()),
        EVENT_TIMESTAMP: pa.array([update.instant for update in updates], TIMESTAMP),
        DELETED: pa.array([update.is_deleted for update in updates], pa.bool_()),
    }
    said = [update.columns or {} for update in updates]
    declared = [field for field in schema if field.name not in own]
    return pa.table(
        own | {field.name: as_column([one.get(field.name) for one in said], field.type) for field in declared}
    )


def as_column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """Values of JSON as an array of one of the lake's types; null where the type does not hold one, as after it has
    changed.

    >>> as_column([1, "x", None, 2.5], pa.float64()).to_pylist()
    [1.0, None, None, 2.5]
    >>> as_column(["2026-03-01T12:00:00+01:00"], TIMESTAMP)[0].as_py().isoformat()
    '2026-03-01T11:00:00+00:00'
    """
    if pa.types.is_timestamp(kind):
        values = [_time(value) for value in values]
    if pa.types.is_list(kind):  # or a text would be one of its letters
        values = [value if isinstance(value, list) else None for value in values]
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.concat_arrays([_one(value, kind) for value in values])


def _one(value: Any, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array([value], kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        return pa.nulls(1, kind)


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        return None
