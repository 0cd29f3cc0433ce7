"""A look at every source of a table before anything is written: files, columns, types, conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from remora.core.home import Home
from remora.ingest.files import FileSchema, FoundFiles, SourceFile
from remora.ingest.filters import check_conditions
from remora.ingest.formats import FORMATS
from remora.ingest.schema import table_schema
from remora.settings import SourceSettings

Located = list[tuple[SourceSettings, FoundFiles]]
"""The sources of one table, each with its files."""


@dataclass(frozen=True)
class TableSources:
    """All sources of one table with the files of each, and the columns they make in the lake.

    ``skipped``: paths in the directories of the sources that are not read.
    """

    table: str
    sources: tuple[tuple[SourceSettings, tuple[FileSchema, ...]], ...]
    types: pa.Schema
    skipped: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows in, over all files."""
        return sum(file_schema.rows for file_schema in self.file_schemas())

    @property
    def paths(self) -> dict[int, str]:
        """The files by their number."""
        return {file_schema.file.number: file_schema.file.path for file_schema in self.file_schemas()}

    def file_schemas(self) -> Iterator[FileSchema]:
        """Every file's schema and splits, in the order of their numbers."""
        for _, file_schemas in self.sources:
            yield from file_schemas

    def select(self, wanted: Callable[[SourceFile], bool]) -> TableSources:
        """The same with some of the files; a source of which none is left is left out."""
        chosen = [(source, tuple(s for s in file_schemas if wanted(s.file))) for source, file_schemas in self.sources]
        return TableSources(
            self.table, tuple((source, some) for source, some in chosen if some), self.types, self.skipped
        )


def locate_table(sources: Sequence[SourceSettings], home: Home) -> Located:
    """Raises what ``locate`` of a format raises of the first source that has no sound files."""
    return [(source, FORMATS[source.format].locate(source, home, place)) for place, source in enumerate(sources)]


def inspect_table(
    table: str, located: Located, known: Callable[[SourceFile], FileSchema | None] = lambda file: None
) -> TableSources:
    """Look at every file that is not ``known``; raises the DataError or SettingsError of the first thing amiss."""
    inspected = [
        (source, tuple(known(file) or FORMATS[source.format].inspect(file, source) for file in found.files))
        for source, found in located
    ]
    types = table_schema(
        table, [(source, file_schema) for source, file_schemas in inspected for file_schema in file_schemas]
    )
    for source, file_schemas in inspected:
        for file_schema in file_schemas:
            check_conditions(source, file_schema, types)
    return TableSources(table, tuple(inspected), types, tuple(path for _, found in located for path in found.skipped))
