"""Sources with many rows of an id (`distinct`): one row an id, made while they are read, whatever their number."""

from __future__ import annotations

import polars as pl

from remora.core.tables import EVENT_TIMESTAMP
from remora.ingest.files import ORDER

_FIRST = "__first"


class DistinctRows:
    """One row an id: of each column the value of the latest row that has one, valid from the id's first row on.

    Rows are in order of event_timestamp, those of the same or of no time in that of the source.
    """

    def __init__(self, key: str, columns: list[str]) -> None:
        self._key, self._columns = key, [name for name in columns if name not in (key, EVENT_TIMESTAMP)]
        self._rows: pl.DataFrame | None = None
        self.seen = 0

    def add(self, valid: pl.DataFrame) -> None:
        """Rows with ORDER and the table's columns."""
        self.seen += valid.height
        marked = valid.select(
            self._key,
            pl.col(ORDER),
            pl.col(EVENT_TIMESTAMP).alias(_FIRST),
            *self._columns,
            *(pl.col(EVENT_TIMESTAMP).alias(_time(name)) for name in self._columns),
            *(pl.col(ORDER).alias(_place(name)) for name in self._columns),
        )
        # Reduced with every table, so that memory grows with the ids and not with the rows.
        together = marked if self._rows is None else pl.concat([self._rows, marked])
        self._rows = together.group_by(self._key, maintain_order=True).agg(
            pl.col(ORDER).min(), pl.col(_FIRST).min(), *(kept for name in self._columns for kept in _latest(name))
        )

    def rows(self, columns: list[str]) -> pl.DataFrame:
        """The rows so far, with the table's columns and ORDER (of the id's first row)."""
        assert self._rows is not None
        return self._rows.rename({_FIRST: EVENT_TIMESTAMP}).select(*columns, ORDER)

    @property
    def found(self) -> bool:
        """Was there any row?"""
        return self._rows is not None


def _latest(name: str) -> list[pl.Expr]:
    """The last value that is there, and where it stood: what a later row is compared with."""
    there, order = pl.col(name).is_not_null(), (pl.col(_time(name)), pl.col(_place(name)))
    by = [column.filter(there) for column in order]
    return [column.filter(there).sort_by(*by).last() for column in (pl.col(name), *order)]


def _time(name: str) -> str:
    return f"__time {name}"


def _place(name: str) -> str:
    return f"__place {name}"
