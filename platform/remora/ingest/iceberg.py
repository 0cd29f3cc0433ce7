"""Iceberg tables, read with PyIceberg: columns by their ids, so that renamed and added ones are right."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from remora.core.home import Home
from remora.ingest.files import FileFormat, FileSchema, FileSplit, FoundFiles, SourceFile
from remora.settings import SourceSettings
from remora.settings.installed import check_package


def locate(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    """The data files of the table at its snapshot, in the order in which they were committed.

    MissingInput when there is no table, catalog or snapshot of the name; DataError for a table that cannot be read as
    it is meant; SettingsError when PyIceberg is not installed.
    """
    check_package("A source of format iceberg", "pyiceberg")
    from remora.ingest.iceberg_files import data_files

    return data_files(source, home, place)


def inspect(file: SourceFile, source: SourceSettings) -> FileSchema:
    """The table's columns, and how many rows of the file are not deleted; all from the table's metadata."""
    from remora.ingest.iceberg_files import file_schema

    return file_schema(file)


def read(split: FileSplit, source: SourceSettings) -> Iterator[pa.Table]:
    """The file's rows that are not deleted, in the table's columns and types."""
    from remora.ingest.iceberg_files import rows

    return rows(split)


ICEBERG = FileFormat(locate, inspect, read)
