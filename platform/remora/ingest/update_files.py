"""Reading the files of items and users that were sent: rows of JSON, in the columns that the sources have."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from remora.core.home import Home
from remora.ingest import parquet
from remora.ingest.files import ORDER, UNREADABLE, FileFormat, FileSchema, FileSplit, FoundFiles, SourceFile
from remora.ingest.locate import locate
from remora.ingest.sent_updates import UPDATE, as_texts
from remora.settings import SourceSettings


def _locate(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    return locate(source.model_copy(update={"format": "parquet"}), home, place)


def _inspect(file: SourceFile, source: SourceSettings) -> FileSchema:
    splits = parquet.file_schema(file, source).splits
    return FileSchema(file, as_texts(UPDATE.empty_table(), source).schema, splits)


def _read(split: FileSplit, source: SourceSettings) -> Iterator[pa.Table]:
    for table in parquet.read(split, source):
        texts = as_texts(table, source)
        for name in (ORDER, UNREADABLE):
            texts = texts.append_column(name, table[name])
        yield texts


UPDATES = FileFormat(_locate, _inspect, _read)
