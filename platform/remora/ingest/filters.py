"""Conditions of the settings (`quantity > 0`): SQL on the source's columns, tried before a row is read."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from remora.core.errors import MissingInput, SettingsError, WrongType
from remora.ingest.casting import TYPE_OF, present, read_as
from remora.ingest.files import FileSchema
from remora.ingest.plain import holds_bytes, plain_type
from remora.settings import SourceSettings


def condition(text: str) -> pl.Expr:
    """One condition as an expression; SettingsError when it is not one."""
    try:
        return pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise SettingsError(
            f"The condition `{text}` cannot be read: {error}. It is SQL, e.g. `quantity > 0`."
        ) from error


def typed_for_conditions(found: pl.Schema, source: SourceSettings, types: pa.Schema) -> list[pl.Expr]:
    """The source's columns under their own names; text that the settings give a type has that type."""
    return [
        _typed(name, dtype, source, types).alias(name) for name, dtype in found.items() if not name.startswith("__")
    ]


def check_conditions(source: SourceSettings, file_schema: FileSchema, types: pa.Schema) -> None:
    """Try every condition on a row of nulls; MissingInput or SettingsError says what is wrong with it."""
    row = pa.table(
        {field.name: pa.nulls(1, plain_type(field.type)) for field in file_schema.schema if not holds_bytes(field.type)}
    )
    typed = pl.DataFrame(pl.from_arrow(row))
    typed = typed.select(typed_for_conditions(typed.schema, source, types))
    for text in _texts(source):
        expression = condition(text)
        for column in expression.meta.root_names():
            if column not in file_schema.schema.names:
                hint = f"The condition `{text}` needs it; the file is {file_schema.file.path}."
                raise MissingInput("column", column, file_schema.schema.names, hint)
            if column not in row.column_names:
                kind = str(file_schema.schema.field(column).type)
                raise WrongType(
                    column, kind, f"text, a number or a time for the condition `{text}`", file_schema.file.path
                )
        try:
            found = typed.with_columns(__holds=expression).schema["__holds"]
        except pl.exceptions.PolarsError as error:
            why = str(error).splitlines()[0]
            untyped = source.format in ("csv", "jsonl")
            hint = " In CSV and JSON lines, say under `types` what is not text." if untyped else ""
            raise SettingsError(f"The condition `{text}` of {source.path} cannot be used: {why}.{hint}") from error
        if found != pl.Boolean():
            raise SettingsError(f"The condition `{text}` of {source.path} is neither true nor false.")


def _typed(name: str, dtype: pl.DataType, source: SourceSettings, types: pa.Schema) -> pl.Expr:
    mapped = [contract for contract, column in source.columns.items() if column == name]
    for contract in mapped:
        type = types.field(contract).type
        if pa.types.is_floating(type) or pa.types.is_integer(type) or pa.types.is_boolean(type):
            return read_as(type, name, dtype, source)
    if name in source.types:
        return read_as(TYPE_OF[source.types[name]], name, dtype, source)
    return present(name, dtype, source)


def _texts(source: SourceSettings) -> Iterator[str]:
    yield from source.filters
    if isinstance(source.event_type, tuple):
        yield from (rule.when for rule in source.event_type)
