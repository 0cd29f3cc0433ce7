"""A look at every source of a table before anything is written: files, columns, types, conditions, hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from remora.contracts.home import Home
from remora.ingest.conditions import check_conditions
from remora.ingest.files import Survey, locate
from remora.ingest.formats import FORMATS
from remora.ingest.layout import layout
from remora.settings import SourceSettings


@dataclass(frozen=True)
class TableSources:
    """All sources of one table with the files of each, and the columns they make in the lake."""

    table: str
    sources: tuple[tuple[SourceSettings, tuple[Survey, ...]], ...]
    types: pa.Schema

    @property
    def rows(self) -> int:
        """Rows in, over all files."""
        return sum(survey.rows for survey in self.surveys())

    @property
    def paths(self) -> list[str]:
        """The files by their number."""
        return [survey.file.path for survey in self.surveys()]

    def surveys(self) -> Iterator[Survey]:
        """Every file's survey, in the order of their numbers."""
        for _, surveys in self.sources:
            yield from surveys

    def hashes(self) -> list[str]:
        """SHA-256 of every file, for the lake's fingerprint."""
        return [survey.file.sha256() for survey in self.surveys()]


def survey_table(table: str, sources: Sequence[SourceSettings], home: Home) -> TableSources:
    """Raises the DataError or SettingsError of the first thing that cannot work."""
    found, number = [], 0
    for source in sources:
        files = locate(source, home, number)
        number += len(files)
        found.append((source, tuple(FORMATS[source.format].survey(file, source) for file in files)))
    types = layout(table, [(source, survey) for source, surveys in found for survey in surveys])
    for source, surveys in found:
        for survey in surveys:
            check_conditions(source, survey, types)
    return TableSources(table, tuple(found), types)
