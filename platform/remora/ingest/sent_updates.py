"""Items and users that were sent to the server, as one more source of the ingest: files that the log is brought to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from remora.core.home import Home
from remora.core.tables import EVENT_TIMESTAMP, ITEM_ID, TIMESTAMP
from remora.ingest.casting import read_as
from remora.ingest.schema import DELETED, KEY_OF, columns_of
from remora.settings import Settings, SourceSettings

FOLDERS: Mapping[str, str] = {"items": "events/items", "users": "events/users"}
"""Of the home, by the table of the lake: Parquet files by number, each of which is written once."""

ID, INSTANT, COLUMNS = "id", "instant", "columns"

UPDATE = pa.schema(
    [
        pa.field(ID, pa.string(), nullable=False),
        pa.field(INSTANT, TIMESTAMP, nullable=False),
        pa.field(COLUMNS, pa.string()),
    ]
)
"""Of such a file: ``columns`` is a JSON object, null for a deletion, so that no file depends on what a lake has."""

FORMAT = "updates"
MEMBERS = "\x1f"
"""Between the members of a list where its text is read: the unit separator, which no member has."""


def with_sent_updates(settings: Settings) -> Settings:
    """The settings with that source behind those of the user, where there are such files and a table of the user's own:
    without one, items and users are those that events name."""
    home, data = Home(settings.home), dict[str, tuple[SourceSettings, ...]]()
    for table, folder in FOLDERS.items():
        sources: tuple[SourceSettings, ...] = getattr(settings.data, table)
        if sources and home.files(folder):
            data[table] = (*sources, source_of(table, [name for one in sources for name in columns_of(one)]))
    return settings.model_copy(update={"data": settings.data.model_copy(update=data)}) if data else settings


def source_of(table: str, columns: Iterable[str]) -> SourceSettings:
    """Of updates of ``table``, which may have these columns."""
    own = {KEY_OF[table]: "__id", EVENT_TIMESTAMP: "__instant"} | ({DELETED: DELETED} if table == "items" else {})
    return SourceSettings(
        path=FOLDERS[table],
        format=FORMAT,
        columns={**{name: name for name in columns}, **own},
        types={DELETED: "boolean"} if table == "items" else {},
        null_values=(),
        list_separator=MEMBERS,
    )


def as_texts(updates: pa.Table, source: SourceSettings) -> pa.Table:
    """Updates in the columns of their source: all text, but for the instant, as of a file whose types are not known."""
    rows: list[dict[str, Any] | None] = [
        None if text is None else json.loads(text) for text in updates[COLUMNS].to_pylist()
    ]
    found = {"__id": updates[ID], "__instant": updates[INSTANT]}
    for name, column in columns_of(source).items():
        if name == DELETED:
            found[column] = pa.array(["true" if row is None else "false" for row in rows], pa.string())
        elif column not in found:
            found[column] = pa.array([_text((row or {}).get(name)) for row in rows], pa.string())
    return pa.table(found)


def typed(table: str, updates: pa.Table, types: pa.Schema) -> pa.Table:
    """Updates in the columns and types that ``table`` has in a lake, as an ingest reads them: a value that cannot be of
    its column's type is null here."""
    source = source_of(table, [name for name in types.names if name != DELETED])
    texts = pl.DataFrame(pl.from_arrow(as_texts(updates, source)))
    columns = {name: column for name, column in columns_of(source).items() if name in types.names}
    read = [
        read_as(types.field(name).type, column, texts.schema[column], source).alias(name)
        for name, column in columns.items()
    ]
    return texts.select(read).select(types.names).to_arrow().cast(types)


def with_kept_columns(items: pa.Table) -> pa.Table:
    """Versions of items in which a deletion has the columns of the version before: what is gone was still something."""
    if DELETED not in items.column_names:
        return items
    rows = pl.DataFrame(pl.from_arrow(items)).with_row_index("__row")
    kept = pl.when(~pl.col(DELETED).fill_null(False)).then(pl.col("__row")).forward_fill().over(ITEM_ID)
    ordered = rows.sort(ITEM_ID, EVENT_TIMESTAMP, nulls_last=False, maintain_order=True)
    places = ordered.select("__row", last=kept.fill_null(pl.col("__row"))).sort("__row")["last"]
    own = {ITEM_ID, EVENT_TIMESTAMP, DELETED}
    before = items.take(places.to_arrow())
    return pa.table({name: (items if name in own else before)[name] for name in items.column_names}, items.schema)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return MEMBERS.join(str(_text(one)) for one in value)
    return json.dumps(value)
