"""Delta Lake tables, read with `deltalake`: its log says which files are the table's, and Arrow reads those."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from remora.core.home import Home
from remora.ingest.files import FileFormat, FileSchema, FileSplit, FoundFiles, SourceFile
from remora.settings import SourceSettings
from remora.settings.installed import check_package


def locate(source: SourceSettings, home: Home, place: int) -> FoundFiles:
    """The data files of the table at its version, in the order in which they were written.

    MissingInput when there is no table, or not this version; DataError for a table that cannot be read as it is meant;
    SettingsError when `deltalake` is not installed.
    """
    check_package("A source of format delta", "deltalake")
    from remora.ingest.delta_table import data_files

    return data_files(source, home, place)


def inspect(file: SourceFile, source: SourceSettings) -> FileSchema:
    """The table's columns, and splits from the file's footer without the rows that were deleted."""
    from remora.ingest.delta_table import file_schema

    return file_schema(file, source)


def read(split: FileSplit, source: SourceSettings) -> Iterator[pa.Table]:
    """The split's rows that are not deleted, in the table's columns and types."""
    from remora.ingest.delta_table import rows

    return rows(split)


DELTA = FileFormat(locate, inspect, read)
