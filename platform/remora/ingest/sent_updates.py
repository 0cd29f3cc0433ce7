"""Items and users that were sent to the server, as one more source of the ingest: files that the log is brought to."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from remora.core.tables import TIMESTAMP

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
