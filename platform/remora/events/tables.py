"""Records of the log as tables of the home: events, what was quarantined, and served slates."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from remora.core.errors import DataError
from remora.core.tables import (
    EVENT_ID,
    EVENT_TIMESTAMP,
    EVENT_TYPE,
    EVENTS,
    EVENTS_OPTIONAL,
    ITEM_ID,
    KNOWN_TIMESTAMP,
    TIMESTAMP,
    USER_ID,
)
from remora.events.feature_encoding import decode_rows
from remora.events.intake import MAX_ROW_CHARACTERS, REASON, ROW
from remora.ingest.sent_events import CONTEXT, FOLDER
from remora.pipeline import FeatureRows

QUARANTINE, SLATES = "events/quarantine", "events/slates"

NO_EVENT = "the record is no event of this log"
"""Of what others have written to a topic, or of a damaged disk: it must not hold up what comes behind it."""

SERVED = "served"
"""The type of the events that served slates are, one an item, where `data.event_types` declares it. That a slate was
served is another fact than that an item was seen, which the client alone can say."""

COLUMNS = pa.schema([*EVENTS, *EVENTS_OPTIONAL, pa.field(CONTEXT, pa.string())])
"""Of events: the contract's, and the context as JSON."""

REFUSED = pa.schema([(REASON, pa.string()), (ROW, pa.string()), (KNOWN_TIMESTAMP, TIMESTAMP)])
"""Of what was quarantined: why, the event as it was sent, when."""

FEATURE_SCHEMA, FEATURE_INSTANT, FEATURES = "feature_schema", "feature_instant", "features"

ITEM = pa.struct(
    [
        ("item_id", pa.string()),
        ("position", pa.int32()),
        ("score", pa.float64()),
        ("propensity", pa.float64()),
        ("sources", pa.list_(pa.string())),
    ]
)
SLATE = pa.schema(
    [
        ("request_id", pa.string()),
        ("served_at", TIMESTAMP),
        ("user_id", pa.string()),
        ("surface", pa.string()),
        ("bundle", pa.string()),
        ("variant", pa.string()),
        ("requested", pa.int32()),
        ("items", pa.list_(ITEM)),
        (CONTEXT, pa.string()),
        ("degraded", pa.list_(pa.string())),
        ("fallback", pa.bool_()),
        ("total_ms", pa.float64()),
        ("within_ms", pa.float64()),
        ("predictions", pa.list_(pa.struct([("objective", pa.string()), ("values", pa.list_(pa.float64()))]))),
        (FEATURE_SCHEMA, pa.string()),
        (FEATURE_INSTANT, TIMESTAMP),
        (FEATURES, pa.list_(pa.list_(pa.float32()))),
    ]
)
"""Of served slates: :class:`remora.feedback.served_slate.ServedSlate`. ``features`` has a list of numbers for each
item, null where the request is not in the sample; NaN in it is a missing value."""

_ENCODED = pa.struct(
    [
        ("schema", pa.string()),
        ("instant", pa.string()),
        ("shape", pa.list_(pa.int64())),
        ("float32", pa.string()),
    ]
)
_RECORD = pa.schema(
    [*(f for f in SLATE if f.name not in (FEATURE_SCHEMA, FEATURE_INSTANT, FEATURES)), (FEATURES, _ENCODED)]
)

logger = logging.getLogger(__name__)

_TIMES = (EVENT_TIMESTAMP, KNOWN_TIMESTAMP, "served_at")


def event_tables(contents: list[bytes]) -> Mapping[str, pa.Table]:
    """Accepted events, and what was quarantined; so is a record that others wrote."""
    rows, unread = _read(contents, pa.schema([*COLUMNS, *(f for f in REFUSED if f.name not in COLUMNS.names)]))
    whole = pl.all_horizontal(pl.col(field.name).is_not_null() for field in EVENTS)
    reason = pl.col(REASON).fill_null(pl.when(~whole).then(pl.lit(NO_EVENT)))
    rows = rows.with_columns(reason.alias(REASON))
    refused = pl.col(REASON).is_not_null()
    quarantined = rows.filter(refused).select(REFUSED.names).to_arrow().cast(REFUSED)
    texts = [record[:MAX_ROW_CHARACTERS].decode(errors="replace") for record in unread]
    others = {REASON: [NO_EVENT] * len(texts), ROW: texts, KNOWN_TIMESTAMP: [None] * len(texts)}
    return {
        FOLDER: rows.filter(~refused).select(COLUMNS.names).to_arrow().cast(COLUMNS),
        QUARANTINE: pa.concat_tables([quarantined, pa.table(others, REFUSED)]),
    }


def slate_tables(contents: list[bytes], *, as_events: bool) -> Mapping[str, pa.Table]:
    """Served slates, and with ``as_events`` their items as events of the type ``served``.

    A slate of an anonymous visitor is no event: no user could have acted on it under a name.
    """
    slates, unread = _read(contents, _RECORD)
    whole = slates.drop_nulls(("request_id", "served_at", "items"))
    if left := len(unread) + len(slates) - len(whole):
        logger.error("%s records of the log of slates are no slates and are left out", f"{left:,}")
    slates = whole
    found = {SLATES: _with_features(slates)}
    if as_events:
        found[FOLDER] = _events_of(slates).to_arrow().cast(COLUMNS)
    return found


def _events_of(slates: pl.DataFrame) -> pl.DataFrame:
    items = (
        slates.filter(pl.col(USER_ID).is_not_null())
        .explode("items", empty_as_null=False)
        .unnest("items")
        .drop_nulls(ITEM_ID)
    )
    # A client may choose a request's id twice: when it was served tells the two apart.
    id = pl.format("{}/{}@{}", "request_id", "position", pl.col("served_at").dt.epoch("us"))
    known = {
        EVENT_ID: id,
        EVENT_TYPE: pl.lit(SERVED),
        EVENT_TIMESTAMP: pl.col("served_at"),
        KNOWN_TIMESTAMP: pl.col("served_at"),
    }
    same = (USER_ID, ITEM_ID, "surface", "request_id", "position", "propensity", "variant", "bundle", CONTEXT)
    absent = [pl.lit(None).alias(name) for name in COLUMNS.names if name not in (*known, *same)]
    return items.select(*same, *absent, **known).select(COLUMNS.names)


def _with_features(slates: pl.DataFrame) -> pa.Table:
    """The columns of :data:`SLATE`, features decoded."""
    rows = [None if record is None else _decoded(record) for record in slates[FEATURES].to_list()]
    columns = {
        FEATURE_SCHEMA: pa.array([None if one is None else one.schema for one in rows], pa.string()),
        FEATURE_INSTANT: pa.array([None if one is None else one.instant for one in rows], TIMESTAMP),
        FEATURES: _lists([None if one is None else one.values for one in rows]),
    }
    table = slates.drop(FEATURES).to_arrow()
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table.cast(SLATE)


def _decoded(record: Mapping[str, Any]) -> FeatureRows | None:
    try:
        return decode_rows(record)
    except (DataError, TypeError, ValueError) as error:  # a slate counts without its features, too
        logger.error("the features of a served slate cannot be read and are left out: %s", error)
        return None


def _lists(matrices: Sequence[npt.NDArray[np.float32] | None]) -> pa.Array:
    """Matrices (n, F), each of its own shape, as lists of lists of numbers."""
    there = [one for one in matrices if one is not None]
    widths = np.concatenate([np.zeros(1, np.int64), *(np.full(len(one), one.shape[1]) for one in there)])
    numbers = pa.array(np.concatenate([np.empty(0, np.float32), *(one.ravel() for one in there)]), from_pandas=False)
    rows = pa.LargeListArray.from_arrays(np.cumsum(widths), numbers)
    ends = np.cumsum([0, *(0 if one is None else len(one) for one in matrices)])
    absent = pa.array([one is None for one in matrices], pa.bool_())
    found = pa.LargeListArray.from_arrays(ends, rows, mask=absent)
    return found.cast(pa.list_(pa.list_(pa.float32())))


def _read(contents: list[bytes], schema: pa.Schema) -> tuple[pl.DataFrame, list[bytes]]:
    """Records in the columns of ``schema``, and those that cannot be read: one by one where they are among others."""
    try:
        return _parsed(contents, schema), []
    except pl.exceptions.PolarsError:
        if len(contents) == 1:
            return _parsed([], schema), contents
        half = len(contents) // 2
        first, second = _read(contents[:half], schema), _read(contents[half:], schema)
        return pl.concat([first[0], second[0]]), [*first[1], *second[1]]


def _parsed(contents: list[bytes], schema: pa.Schema) -> pl.DataFrame:
    """JSON lines; times are text in them."""
    types = dict(pl.DataFrame(pl.from_arrow(schema.empty_table())).schema)
    texts = {name: pl.String() if name in _TIMES else type for name, type in types.items()}
    rows = pl.read_ndjson(io.BytesIO(b"\n".join(contents)), schema=texts)
    times = [name for name in _TIMES if name in types]
    return rows.with_columns(pl.col(times).str.to_datetime(time_unit="us", time_zone="UTC"))
