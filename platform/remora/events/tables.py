"""Records of the log as tables of the home: events, what was quarantined, and served slates."""

from __future__ import annotations

import io
from collections.abc import Mapping

import polars as pl
import pyarrow as pa

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
from remora.events.intake import REASON, ROW
from remora.ingest.sent_events import CONTEXT, FOLDER

QUARANTINE, SLATES = "events/quarantine", "events/slates"

SERVED = "served"
"""The type of the events that served slates are, one an item, where `data.event_types` declares it. That a slate was
served is another fact than that an item was seen, which the client alone can say."""

COLUMNS = pa.schema([*EVENTS, *EVENTS_OPTIONAL, pa.field(CONTEXT, pa.string())])
"""Of events: the contract's, and the context as JSON."""

REFUSED = pa.schema([(REASON, pa.string()), (ROW, pa.string()), (KNOWN_TIMESTAMP, TIMESTAMP)])
"""Of what was quarantined: why, the event as it was sent, when."""

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
    ]
)
"""Of served slates: :class:`remora.feedback.served_slate.ServedSlate`."""

_TIMES = (EVENT_TIMESTAMP, KNOWN_TIMESTAMP, "served_at")


def event_tables(contents: list[bytes]) -> Mapping[str, pa.Table]:
    """Accepted events, and what was quarantined."""
    rows = _read(contents, pa.schema([*COLUMNS, *(f for f in REFUSED if f.name not in COLUMNS.names)]))
    refused = pl.col(REASON).is_not_null()
    return {
        FOLDER: rows.filter(~refused).select(COLUMNS.names).to_arrow().cast(COLUMNS),
        QUARANTINE: rows.filter(refused).select(REFUSED.names).to_arrow().cast(REFUSED),
    }


def slate_tables(contents: list[bytes], *, as_events: bool) -> Mapping[str, pa.Table]:
    """Served slates, and with ``as_events`` their items as events of the type ``served``.

    A slate of an anonymous visitor is no event: no user could have acted on it under a name.
    """
    slates = _read(contents, SLATE)
    found = {SLATES: slates.to_arrow().cast(SLATE)}
    if as_events:
        found[FOLDER] = _events_of(slates).to_arrow().cast(COLUMNS)
    return found


def _events_of(slates: pl.DataFrame) -> pl.DataFrame:
    items = slates.filter(pl.col(USER_ID).is_not_null()).explode("items", empty_as_null=False).unnest("items")
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


def _read(contents: list[bytes], schema: pa.Schema) -> pl.DataFrame:
    """JSON lines in the columns of ``schema``; times are text in them."""
    types = dict(pl.DataFrame(pl.from_arrow(schema.empty_table())).schema)
    texts = {name: pl.String() if name in _TIMES else type for name, type in types.items()}
    rows = pl.read_ndjson(io.BytesIO(b"\n".join(contents)), schema=texts)
    times = [name for name in _TIMES if name in types]
    return rows.with_columns(pl.col(times).str.to_datetime(time_unit="us", time_zone="UTC"))
