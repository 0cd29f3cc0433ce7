"""How a user's own tables are described: this section alone brings a dataset to Remora."""

from __future__ import annotations

import codecs
from datetime import date
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from remora.core.credentials import Connection
from remora.core.section import Section
from remora.settings.bounds import Each
from remora.settings.time_pattern import check_pattern

_NAMED_ONCE = ("user_id", "item_id", "event_timestamp", "event_id")
"""Columns of the contract that no two of one source column can be."""

_OF_FORMATS = {
    "split": ("parquet", "csv"),
    "catalog": ("iceberg",),
    "snapshot": ("iceberg",),
    "version": ("delta",),
}
"""Settings of a source that only some formats have."""


class EventTypeSettings(Section):
    """What one event type says about taste."""

    weight: float = Field(1.0, ge=0, description="how much one event counts, and its graded relevance in NDCG")
    sign: Literal[-1, 0, 1] = Field(1, description="+1 positive, -1 negative, 0 says nothing (an impression)")


class TimeFormat(Section):
    """How a source writes time."""

    unit: Literal["s", "ms", "us", "ns"] = Field(
        "s", description="of numbers since 1970: seconds, milliseconds, microseconds or nanoseconds"
    )
    pattern: str | None = Field(
        None, description="strptime pattern of text, or of whole numbers such as 20240131 (`%Y%m%d`); else `unit` holds"
    )
    timezone: str = Field("UTC", description="IANA zone of a time written without one")

    @field_validator("pattern")
    @classmethod
    def _pattern_reads_what_it_writes(cls, pattern: str | None) -> str | None:
        return None if pattern is None else check_pattern(pattern)

    @field_validator("timezone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{zone}' is no IANA time zone such as Europe/London") from error
        return zone


class EventTypeRule(Section):
    """One branch of a derived event type: the first whose condition holds names the event."""

    when: str = Field(description="a condition on the source's columns, e.g. `rating >= 4`")
    type: str = Field(description="the type of a row for which `when` holds")

    @field_validator("when")
    @classmethod
    def _when_is_sql(cls, when: str) -> str:
        return _check_condition(when)


class SourceSettings(Section):
    """One source of one table: files, or a table of a data lake, and how its columns map to the contract."""

    path: Connection = Field(
        min_length=1,
        description="a file, a directory of files, or the folder of an Iceberg or Delta table: local (relative to the "
        "home) or s3://; with `catalog`, the name of a table such as shop.events",
    )
    format: Literal["parquet", "csv", "jsonl", "iceberg", "delta", "updates"] = Field(
        description="of the files, or of the table; jsonl has an object a line, whose nested fields are named as in "
        "`item.id`; updates are items and users that were sent to the server, a source that a run adds itself"
    )
    split: str | None = Field(
        None,
        pattern=r"^\w[\w.]*(\+\w[\w.]*)*$",
        description="of a directory with the splits of a dataset: the ones to read, such as `train` or `train+test`; "
        "None: all files",
    )
    catalog: str | None = Field(
        None,
        min_length=1,
        description="of an Iceberg table: the name of a catalog in PyIceberg's own configuration, which has its "
        "address and credentials",
    )
    snapshot: str | None = Field(
        None,
        min_length=1,
        description="of an Iceberg table: the id of the snapshot to read, or the name of a tag or branch; None: the "
        "current one",
    )
    version: int | None = Field(
        None,
        ge=0,
        le=2**63 - 1,
        description="of a Delta table: the number of the version to read; None: the latest one",
    )
    columns: dict[str, str] = Field(description="contract column -> source column")
    extra_columns: tuple[str, ...] = Field((), description="further source columns to keep under their own names")
    types: dict[str, Literal["string", "integer", "number", "boolean", "list[string]"]] = Field(
        {}, description="contract column -> type, where it is not evident; `list[string]` is a list"
    )
    column_names: tuple[str, ...] = Field(
        (), description="of a CSV file without a header: the names of its columns in their order"
    )
    delimiter: str = Field(",", description="of a CSV file; more than one character needs `quote: null`")
    quote: str | None = Field('"', description="CSV quote character; null turns quoting off")
    escape: str | None = Field(
        None,
        description="CSV character before one that is meant as it is: a backslash in files of Spark or MySQL",
    )
    encoding: str = Field("utf-8", description="of a CSV file, or of JSON lines")
    decimal: Literal[".", ","] = Field(
        ".", description="what is before the fraction of a number in text; with a comma, points divide thousands"
    )
    null_values: tuple[str, ...] = Field(("",), description="texts that mean `no value`")
    list_separator: str = Field(" ", min_length=1, description="between the members of a `list[string]` column in text")
    event_type: str | tuple[EventTypeRule, ...] | None = Field(
        None, description="a constant type, or rules; None when the column event_type is mapped"
    )
    distinct: bool = Field(
        False,
        description="items and users: many rows may have one id; of each column the latest value holds, from the id's "
        "first row on",
    )
    time: TimeFormat = TimeFormat()
    filters: tuple[str, ...] = Field(
        (),
        description="conditions every row must meet, e.g. `quantity > 0`; others are quarantined as declared",
    )

    @field_validator("snapshot", mode="before")
    @classmethod
    def _snapshot_is_a_name(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("quote", "escape")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or not value.isascii() or value in "\r\n"):
            raise ValueError(f"{value!r} is not one ASCII character; null turns it off")
        return value

    @field_validator("delimiter")
    @classmethod
    def _delimiter_divides(cls, value: str) -> str:
        if not value or not value.isascii() or "\n" in value or "\r" in value:
            raise ValueError(f"{value!r} cannot divide columns: one or more ASCII characters, no line break")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, value: str) -> str:
        try:
            "".encode(value)
            codecs.lookup(value)
        except (LookupError, ValueError) as error:
            raise ValueError(f"'{value}' is no encoding of text such as utf-8, latin-1 or utf-16") from error
        return value

    @field_validator("column_names")
    @classmethod
    def _columns_have_a_name_each(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [name for name in names if not name or names.count(name) > 1]:
            raise ValueError(f"{wrong[0]!r} is empty or there twice: every column needs a name of its own")
        return names

    @field_validator("filters")
    @classmethod
    def _filters_are_sql(cls, filters: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_check_condition(text) for text in filters)

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        for name, formats in _OF_FORMATS.items():
            if getattr(self, name) is not None and self.format not in formats:
                raise ValueError(
                    f"source {self.path}: `{name}` is for {' and '.join(formats)}; the format is {self.format}"
                )
        return self

    @model_validator(mode="after")
    def _csv_marks_differ(self) -> Self:
        marks = [mark for mark in (self.delimiter, self.quote, self.escape) if mark is not None]
        if len(set(marks)) < len(marks):
            raise ValueError(f"source {self.path}: delimiter, quote and escape must differ; they are {marks}")
        if len(self.delimiter) > 1:
            if self.quote is not None or self.escape is not None:
                raise ValueError(
                    f"source {self.path}: the delimiter {self.delimiter!r} has more than one character, which works "
                    f"only without quotes. Add `quote: null`, and no `escape`."
                )
            if self.delimiter.encode(self.encoding) != self.delimiter.encode("ascii"):
                raise ValueError(
                    f"source {self.path}: a delimiter of more than one character needs an encoding in which it is "
                    f"ASCII, such as utf-8; encoding is {self.encoding}"
                )
        return self

    @model_validator(mode="after")
    def _options_are_of_the_format(self) -> Self:
        if self.column_names and self.format != "csv":
            raise ValueError(f"source {self.path}: column_names are of a CSV file; the format is {self.format}")
        if self.format == "jsonl" and "\n".encode(self.encoding) != b"\n":
            raise ValueError(f"source {self.path}: JSON lines need an encoding such as utf-8, not {self.encoding}")
        return self

    @model_validator(mode="after")
    def _columns_mean_one_thing(self) -> Self:
        required = {name: self.columns[name] for name in _NAMED_ONCE if name in self.columns}
        for name, column in required.items():
            if others := [other for other, there in required.items() if there == column and other != name]:
                raise ValueError(f"source {self.path}: the column '{column}' cannot be both {name} and {others[0]}")
        return self


class DataSettings(Section):
    """The user's tables."""

    dataset: str | None = Field(None, description="name of a dataset that `remora data download` knows how to fetch")
    events: tuple[SourceSettings, ...] = Field(min_length=1, description="what users did: at least one source")
    users: tuple[SourceSettings, ...] = Field(
        (), description="what is known of users; without it, users are those that events name"
    )
    items: tuple[SourceSettings, ...] = Field(
        (), description="the catalogue; without it, items are those that events name"
    )
    event_types: dict[str, EventTypeSettings] = Field(
        min_length=1, description="every type of event by its name, and what it says about taste"
    )
    impression: str | None = Field(
        None,
        description="event type that says an item was shown (with request_id and position): no act of the user's, so "
        "it hides no item and is in no activity",
    )
    earliest: date = Field(
        date(1990, 1, 1),
        ge=date(1970, 1, 1),
        description="an event before this day (UTC) is quarantined: its time was read in a wrong unit, or means `none`",
    )
    max_clock_skew_seconds: float = Field(
        300.0, ge=0, le=7 * 86_400, description="an event later than now by more than this is quarantined"
    )
    quarantine_limit: float = Field(0.05, ge=0, le=1, description="share of broken rows over which ingest stops")
    duplicates: Literal["quarantine", "keep"] = Field("quarantine", description="rows equal in every source column")
    unknown_items: Literal["quarantine", "keep"] = Field(
        "quarantine", description="events whose item is not in `items`; without an items table all are kept"
    )
    title: str | None = Field(None, description="items column shown to people")
    category: str | None = Field(None, description="items column (string or list[string]) for affinity and diversity")
    available: str | None = Field(None, description="boolean items column; false keeps an item out of every slate")
    user_columns: Each[str] = Field((), description="users columns that are features")
    item_columns: Each[str] = Field((), description="items columns that are features")
    text_columns: Each[str] = Field((), description="items columns whose words feed the item tower")
    clock: Literal["now", "data"] = Field(
        "now",
        description="`data`: a request without an instant happens at the end of the data (historical sets)",
    )

    @model_validator(mode="after")
    def _columns_have_names_of_their_own(self) -> DataSettings:
        for table, sources in (("events", self.events), ("users", self.users), ("items", self.items)):
            for name in (name for source in sources for name in (*source.columns, *source.extra_columns)):
                if name.startswith("__") or (table, name) == ("events", "source_row"):
                    raise ValueError(
                        f"data.{table} maps a column called '{name}', a name that ingest uses itself. Map it under "
                        f"another name."
                    )
        named = [("user_columns", name, "user_id") for name in self.user_columns]
        named += [("item_columns", name, "item_id") for name in self.item_columns]
        named += [("text_columns", name, "item_id") for name in self.text_columns]
        single = {"title": self.title, "category": self.category, "available": self.available}
        named += [(place, name, "item_id") for place, name in single.items() if name]
        for place, name, key in named:
            if name in (key, "event_timestamp"):
                raise ValueError(
                    f"data.{place} names {name}, which says of what and from when a row is. Map the source's column a "
                    f"second time under another name, and name that."
                )
        return self

    @model_validator(mode="after")
    def _event_types_are_declared(self) -> DataSettings:
        for source in self.events:
            if source.distinct:
                raise ValueError(f"source {source.path}: `distinct` is for items and users; every event counts")
            if source.event_type is None and "event_type" not in source.columns:
                raise ValueError(f"source {source.path}: give event_type, or map the column event_type")
            named = (
                [source.event_type]
                if isinstance(source.event_type, str)
                else [rule.type for rule in source.event_type or ()]
            )
            for name in named:
                if name not in self.event_types:
                    raise ValueError(
                        f"source {source.path}: event type '{name}' is not declared; event_types has: "
                        f"{', '.join(self.event_types)}"
                    )
        if self.impression is not None and getattr(self.event_types.get(self.impression), "sign", None) != 0:
            raise ValueError(
                f"impression is '{self.impression}', which event_types must declare with sign 0; it has: "
                f"{', '.join(f'{name} ({t.sign})' for name, t in self.event_types.items())}"
            )
        if not any(t.sign > 0 for t in self.event_types.values()):
            raise ValueError("no event type has sign 1: nothing could be recommended")
        return self

    @property
    def positive_types(self) -> tuple[str, ...]:
        """Event types that say a user wanted the item."""
        return tuple(name for name, t in self.event_types.items() if t.sign > 0)


def _check_condition(text: str) -> str:
    """The condition itself; ValueError when it is not SQL. Whether its columns exist is known when files are read."""
    import polars as pl

    try:
        pl.sql_expr(text)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"the condition `{text}` cannot be read: {error}. It is SQL, e.g. `quantity > 0`") from error
    return text
