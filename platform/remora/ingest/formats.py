"""The table of formats."""

from __future__ import annotations

from remora.ingest.csv import CSV
from remora.ingest.files import FileFormat
from remora.ingest.parquet import PARQUET

FORMATS: dict[str, FileFormat] = {"parquet": PARQUET, "csv": CSV}
