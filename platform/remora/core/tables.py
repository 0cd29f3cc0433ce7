"""The three tables that every source is turned into, and the names of their columns."""

from __future__ import annotations

import pyarrow as pa

CONTRACT_VERSION = 1

EVENT_ID = "event_id"
USER_ID = "user_id"
ITEM_ID = "item_id"
EVENT_TYPE = "event_type"
EVENT_TIMESTAMP = "event_timestamp"
KNOWN_TIMESTAMP = "known_timestamp"
VALUE = "value"
DAY = "day"

PROFILE, ITEM_PROFILE = "user_profile__", "item_profile__"
"""Before the name of a column of the data's users and items wherever Remora's own columns stand beside it: whatever
the data calls its columns, none is taken for one of Remora's."""

TIMESTAMP = pa.timestamp("us", tz="UTC")

EVENTS = pa.schema(
    [
        pa.field(EVENT_ID, pa.string(), nullable=False),
        pa.field(USER_ID, pa.string(), nullable=False),
        pa.field(ITEM_ID, pa.string(), nullable=False),
        pa.field(EVENT_TYPE, pa.string(), nullable=False),
        pa.field(EVENT_TIMESTAMP, TIMESTAMP, nullable=False),
    ]
)
"""Required columns of ``events``; key ``event_id``."""

EVENTS_OPTIONAL = pa.schema(
    [
        pa.field(KNOWN_TIMESTAMP, TIMESTAMP),
        pa.field(VALUE, pa.float64()),
        pa.field("session_id", pa.string()),
        pa.field("surface", pa.string()),
        pa.field("request_id", pa.string()),
        pa.field("position", pa.int32()),
        pa.field("propensity", pa.float64()),
        pa.field("variant", pa.string()),
        pa.field("bundle", pa.string()),
    ]
)
"""Optional columns of ``events`` with a type of their own; any other column is context, kept as it is typed."""

USERS = pa.schema([pa.field(USER_ID, pa.string(), nullable=False)])
"""Required columns of ``users``; any typed column may follow, valid from ``event_timestamp`` if given."""

ITEMS = pa.schema([pa.field(ITEM_ID, pa.string(), nullable=False)])
"""Required columns of ``items``; any typed column may follow, valid from ``event_timestamp`` if given."""

QUARANTINE = pa.schema(
    [
        pa.field("table", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("declared", pa.bool_(), nullable=False),  # a filter of the configuration, not a broken row
        pa.field("source_file", pa.string(), nullable=False),
        pa.field("source_row", pa.int64(), nullable=False),  # 1 is the first data row
        pa.field("row", pa.string(), nullable=False),  # the whole source row as JSON
    ]
)
"""Rows that were not accepted, with the reason and where they stand in the source."""
