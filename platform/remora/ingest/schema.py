"""The columns a table gets in the lake, decided from its sources before a row is read."""

from __future__ import annotations

import pyarrow as pa

from remora.core.errors import MissingInput, SettingsError, WrongType
from remora.core.tables import (
    EVENT_TIMESTAMP,
    EVENT_TYPE,
    EVENTS,
    EVENTS_OPTIONAL,
    ITEM_ID,
    ITEMS,
    TIMESTAMP,
    USER_ID,
    USERS,
)
from remora.ingest.casting import NAME_OF, TYPE_OF, natural, readable
from remora.ingest.files import FileSchema
from remora.settings import DataSettings, SourceSettings

SOURCE_ROW = "source_row"
"""int64, column of events: the row's order in the sources. Events sort by (event_timestamp, source_row)."""

KEY_OF = {"users": USER_ID, "items": ITEM_ID}

DELETED = "__deleted"
"""bool, column of items where some were sent to the server: this version says that the item is gone."""

_FIXED = {
    "events": pa.schema([*EVENTS, *EVENTS_OPTIONAL]),
    "users": pa.schema([*USERS, pa.field(EVENT_TIMESTAMP, TIMESTAMP)]),
    "items": pa.schema([*ITEMS, pa.field(EVENT_TIMESTAMP, TIMESTAMP)]),
}


def columns_of(source: SourceSettings) -> dict[str, str]:
    """Contract column -> source column, the kept ones included."""
    return source.columns | {name: name for name in source.extra_columns}


def table_schema(table: str, file_schemas: list[tuple[SourceSettings, FileSchema]]) -> pa.Schema:
    """Required columns first, then the mapped and kept ones in the order of the settings.

    Raises MissingInput for a column that a file lacks, WrongType for one that cannot be what it is mapped to, and
    SettingsError for a mapping that leaves a required column out.
    """
    fixed, found = _FIXED[table], dict[str, pa.DataType]()
    for source, file_schema in file_schemas:
        _check_mapping(table, source, file_schema)
        for name, column in columns_of(source).items():
            if source.format == "updates" and name in found:
                continue  # what was sent is read as the user's own sources are
            type = _type_in(name, column, source, file_schema, fixed)
            if found.setdefault(name, type) != type:
                raise WrongType(
                    column,
                    NAME_OF[str(type)],
                    f"{NAME_OF[str(found[name])]}, as in other sources",
                    file_schema.file.path,
                )
    first = {"events": EVENTS.names}.get(table) or fixed.names
    types = {name: fixed.field(name).type for name in first} | found
    if table == "events":
        types[SOURCE_ROW] = pa.int64()
    return pa.schema(list(types.items()))


def check_named_columns(data: DataSettings, users: pa.Schema, items: pa.Schema) -> None:
    """The columns that the settings name as features, title, category and so on must be there, with a fit type.

    MissingInput for a column that is absent, WrongType where ``data.available`` is not boolean.
    """
    named = [(name, "user_columns", users) for name in data.user_columns]
    named += [(name, "item_columns", items) for name in data.item_columns]
    named += [(name, "text_columns", items) for name in data.text_columns]
    single = (("title", data.title), ("category", data.category), ("available", data.available))
    named += [(name, place, items) for place, name in single if name is not None]
    for name, place, schema in named:
        if name not in schema.names:
            table = "users" if schema is users else "items"
            raise MissingInput(
                f"column in {table}", name, schema.names, f"data.{place} names it: map it in data.{table}."
            )
    if data.available and not pa.types.is_boolean(items.field(data.available).type):
        found = NAME_OF[str(items.field(data.available).type)]
        raise WrongType(data.available, found, "boolean (say so under `types`)", "items")


def _check_mapping(table: str, source: SourceSettings, file_schema: FileSchema) -> None:
    required = [USER_ID, ITEM_ID, EVENT_TIMESTAMP] if table == "events" else [KEY_OF[table]]
    for name in required:
        if name not in source.columns:
            raise SettingsError(
                f"The {table} source {source.path} does not map {name}. Add `{name}: <column>` to columns."
            )
    contract_name = {column: name for name, column in source.columns.items()}
    for name in source.types:
        # Beside the contract's name it is of use: a condition reads the column by the name that it has in the file.
        if name in contract_name and name not in columns_of(source) and contract_name[name] not in source.types:
            raise SettingsError(
                f"`types` of the {table} source {source.path} names the file's column '{name}', which is mapped to "
                f"{contract_name[name]}: write `{contract_name[name]}: {source.types[name]}`."
            )
        if name not in columns_of(source) and name not in file_schema.schema.names:
            raise MissingInput("column", name, file_schema.schema.names, f"`types` of {source.path} names it.")
    if table == "events" and source.event_type is not None and EVENT_TYPE in source.columns:
        raise SettingsError(
            f"The events source {source.path} gives event_type twice: as a constant or rules, and as a column."
        )


def _type_in(name: str, column: str, source: SourceSettings, file_schema: FileSchema, fixed: pa.Schema) -> pa.DataType:
    if column not in file_schema.schema.names:
        folder = " Values of partition folders are no columns: write them into the files."
        raise MissingInput(
            "column",
            column,
            file_schema.schema.names,
            f"It is mapped to {name}; the file is {file_schema.file.path}."
            + (folder if f"/{column}=" in file_schema.file.path else ""),
        )
    there = file_schema.schema.field(column).type
    if name in fixed.names:
        wanted = fixed.field(name).type
    elif name in source.types:
        wanted = TYPE_OF[source.types[name]]
    else:
        wanted = natural(there)
    if wanted is None or not readable(there, wanted):
        needed = (
            "text, numbers, booleans, times or lists of text"
            if wanted is None
            else f"something readable as {NAME_OF[str(wanted)]}"
        )
        raise WrongType(column, str(there), needed, file_schema.file.path)
    return wanted
