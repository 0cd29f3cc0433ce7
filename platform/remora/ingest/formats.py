"""The table of formats."""

from __future__ import annotations

from remora.ingest.csv import CSV
from remora.ingest.delta import DELTA
from remora.ingest.files import FileFormat
from remora.ingest.iceberg import ICEBERG
from remora.ingest.jsonl import JSONL
from remora.ingest.parquet import PARQUET
from remora.ingest.update_files import UPDATES

FORMATS: dict[str, FileFormat] = {
    "parquet": PARQUET,
    "csv": CSV,
    "jsonl": JSONL,
    "iceberg": ICEBERG,
    "delta": DELTA,
    "updates": UPDATES,
}
