"""One batch of source rows against the contract: typed columns, and for each row the first reason not to accept it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.types as pat

from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.ingest.casting import NAME_OF, present, read_as, whole_number_text
from remora.ingest.event_ids import content_ids
from remora.ingest.files import ORDER, UNREADABLE
from remora.ingest.filters import condition, typed_for_conditions
from remora.ingest.schema import KEY_OF, SOURCE_ROW, columns_of
from remora.settings import SourceSettings

REASON = "__reason"

UNREADABLE_ROW = "the row does not have as many columns as the header"
UNREADABLE_LINE = "the line is no JSON object"
UNREAD = " cannot be read as "
"""Between a column and its type in the reason for a value that is not one of the type."""
UNKNOWN_ITEM = "unknown item"
UNDECLARED = f"{EVENT_TYPE} is not declared"
DUPLICATE = "duplicate of another row"
NEGATIVE = f"{EVENT_TIMESTAMP} is negative"
FUTURE = f"{EVENT_TIMESTAMP} is in the future"
EARLY = f"{EVENT_TIMESTAMP} is before "
"""How the reason begins for a time before data.earliest."""
FILTER = "filter: "
"""How the reasons begin that the configuration declares."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SINCE_EVER = datetime(1970, 1, 2, tzinfo=UTC)
"""Up to here the time of an item's or a user's version says that it always held."""


@dataclass(frozen=True)
class RowValidator:
    """What the rows of one source are held against.

    ``types`` are the table's columns in the lake; after ``latest`` an event is in the future, and before ``earliest``
    its time is no time of an event; ``catalogue`` holds the item ids that events may name, None when any may. With
    ``by_content`` False, rows equal in every column are different events.
    """

    table: str
    source: SourceSettings
    types: pa.Schema
    latest: datetime
    earliest: datetime = _EPOCH
    event_types: tuple[str, ...] = ()
    catalogue: pl.Series | None = None
    by_content: bool = True

    def __call__(self, raw: pa.Table) -> pl.DataFrame:
        """Columns of ``types``, ORDER and REASON (null: accepted), one row a row of ``raw``, in its order."""
        rows = pl.from_arrow(raw)
        assert isinstance(rows, pl.DataFrame)
        facts = pl.concat([rows.select(ORDER, UNREADABLE), self._readings(rows), self._holds(rows)], how="horizontal")
        if self.table == "events":
            facts = facts.with_columns(self._event_type().alias(EVENT_TYPE), pl.col(ORDER).alias(SOURCE_ROW))
            facts = self._with_event_id(facts, raw)
        dtypes = pl.DataFrame(pl.from_arrow(self.types.empty_table())).schema
        absent = [pl.lit(None, dtypes[name]).alias(name) for name in self.types.names if name not in facts.columns]
        reason = pl.coalesce(*(pl.when(broken).then(pl.lit(text)) for text, broken in self._checks()))
        return facts.with_columns(*absent, reason.alias(REASON)).select(*self.types.names, ORDER, REASON)

    def _readings(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Every mapped column in its type, and beside it whether the source gave a value at all."""
        readings = []
        for name, column in columns_of(self.source).items():
            found = rows.schema[column]
            value = read_as(self.types.field(name).type, column, found, self.source)
            if self.source.types.get(name) == "integer" and pat.is_string(self.types.field(name).type):
                value = whole_number_text(value)
            readings += [value.alias(name), present(column, found, self.source).is_not_null().alias(f"__gives {name}")]
        return rows.select(readings)

    def _holds(self, rows: pl.DataFrame) -> pl.DataFrame:
        """For every condition of the source whether it holds; one that is null does not."""
        rules = self.source.event_type if isinstance(self.source.event_type, tuple) else ()
        texts = dict.fromkeys([*self.source.filters, *(rule.when for rule in rules)])
        typed = rows.select(typed_for_conditions(rows.schema, self.source, self.types))
        holds = {f"__holds {text}": condition(text).fill_null(False) for text in texts}
        return typed.with_columns(**holds).select(holds.keys())

    def _event_type(self) -> pl.Expr:
        given = self.source.event_type
        if given is None:
            return pl.col(EVENT_TYPE)
        if isinstance(given, str):
            return pl.lit(given)
        return pl.coalesce(*(pl.when(pl.col(f"__holds {rule.when}")).then(pl.lit(rule.type)) for rule in given))

    def _with_event_id(self, facts: pl.DataFrame, raw: pa.Table) -> pl.DataFrame:
        if EVENT_ID in self.source.columns:
            return facts
        content = raw.drop_columns([UNREADABLE] if not self.by_content else [UNREADABLE, ORDER])
        content = content.append_column("__event_type", facts[EVENT_TYPE].to_arrow())
        ids = pl.from_arrow(content_ids(content))
        assert isinstance(ids, pl.Series)
        return facts.with_columns(ids.alias(EVENT_ID))

    def _checks(self) -> Iterator[tuple[str, pl.Expr]]:
        """Reasons and when they apply; the first that applies is the row's."""
        yield (
            UNREADABLE_LINE if self.source.format == "jsonl" else UNREADABLE_ROW,
            pl.col(UNREADABLE).is_not_null(),
        )
        # What was sent had the type of its column then; where that has changed since, the value is null.
        for name in columns_of(self.source) if self.source.format != "updates" else ():
            wanted = NAME_OF[str(self.types.field(name).type)]
            yield f"{name}{UNREAD}{wanted}", pl.col(f"__gives {name}") & pl.col(name).is_null()
        for text in self.source.filters:
            yield f"{FILTER}{text}", ~pl.col(f"__holds {text}")
        for name in self._required():
            yield f"{name} is missing", pl.col(name).is_null()
        if EVENT_TIMESTAMP in self.source.columns:
            yield NEGATIVE, pl.col(EVENT_TIMESTAMP) < _EPOCH
            yield self._early(), pl.col(EVENT_TIMESTAMP).is_between(self._since(), self.earliest, closed="left")
            yield FUTURE, pl.col(EVENT_TIMESTAMP) > self.latest
        if self.table == "events":
            yield UNDECLARED, ~pl.col(EVENT_TYPE).is_in(self.event_types)
        if self.catalogue is not None:
            yield UNKNOWN_ITEM, ~pl.col(ITEM_ID).is_in(self.catalogue.implode())

    def reasons_of_time(self) -> list[str]:
        """Reasons for which a row has no plausible time."""
        return [f"{EVENT_TIMESTAMP}{UNREAD}time", NEGATIVE, FUTURE, self._early()]

    def _early(self) -> str:
        return f"{EARLY}{self.earliest:%Y-%m-%d}"

    def _since(self) -> datetime:
        return _EPOCH if self.table == "events" else _SINCE_EVER

    def _required(self) -> tuple[str, ...]:
        if self.table != "events":
            return (KEY_OF[self.table],)
        return (EVENT_ID, USER_ID, ITEM_ID, EVENT_TIMESTAMP, EVENT_TYPE)


def accepted(validated: pl.DataFrame, types: pa.Schema) -> pa.Table:
    """The rows without a reason, in the columns and types of ``types``."""
    return validated.filter(pl.col(REASON).is_null()).select(types.names).to_arrow().cast(types)
