"""What checks of plausibility look at: the settings, what was found on disk, and what the first pass has counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from remora.ingest.catalogue import Catalogue
from remora.ingest.contract import FILTER
from remora.ingest.findings import Finding
from remora.ingest.inspect import TableSources
from remora.ingest.row_counts import RowCounts
from remora.ingest.schema import KEY_OF
from remora.settings import DataSettings


@dataclass(frozen=True)
class Facts:
    """What is known when all rows were looked at and none is written."""

    data: DataSettings
    tables: Mapping[str, TableSources]
    catalogues: Mapping[str, Catalogue]
    row_counts: RowCounts

    @property
    def validated(self) -> int:
        """Events that no filter of the settings takes out."""
        declared = sum(rows for reason, rows in self.row_counts.reasons.items() if reason.startswith(FILTER))
        return self.row_counts.rows - declared

    def doubt(self, code: str) -> int:
        """Rows of a doubt."""
        return self.row_counts.doubts.get(code, 0)

    def examples(self, code: str) -> tuple[str, ...]:
        """Examples of a doubt."""
        return tuple(sorted(self.row_counts.examples.get(code, ())))

    def ids(self, table: str) -> frozenset[str]:
        """Ids that a table has, empty when it is not there."""
        return frozenset(self.catalogues[table].rows[KEY_OF[table]].to_pylist())

    def doubts_of_tables(self, code: str) -> Iterator[tuple[str, int]]:
        """Each table with rows of a doubt, and how many."""
        counts = {"events": self.doubt(code)}
        counts |= {name: catalogue.doubts.get(code, 0) for name, catalogue in self.catalogues.items()}
        yield from ((table, rows) for table, rows in counts.items() if rows)


Check = Callable[[Facts], Iterator[Finding]]
"""Looks at the whole, and says what it finds."""
