"""The rows of a table's sources, streamed through functions: by Ray Data, or by this process when they are few.

Both give the same rows. A task of Ray Data costs tens of milliseconds and its worker seconds to start, so this process
reads a small table sooner; what does not fit its memory, or gains from several processes, Ray Data reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

import pyarrow as pa

from remora.ingest.formats import FORMATS
from remora.ingest.inspect import TableSources

MAX_LOCAL_ROWS = 200_000
"""With more rows in all its files, Ray Data reads a table."""

MAX_LOCAL_BYTES = 16 << 20
"""The same of the files' bytes."""

Task = Callable[[], Iterable[pa.Table]]
"""Reads some of the rows, table by table."""

Function = Callable[[pa.Table], pa.Table]


class Rows(Protocol):
    """Rows that are read each time :meth:`tables` is called. Functions may get any division of them into tables."""

    def plus(self, tasks: Sequence[Task], function: Function) -> Rows:
        """These rows, and what the function makes of those that the tasks read."""

    def map(self, function: Function) -> Rows:
        """What the function makes of them."""

    def grouped(self, column: str, partitions: int) -> Rows:
        """The same in at most ``partitions`` tables, each with all rows of the values of ``column`` that it has."""

    def materialize(self) -> Rows:
        """The same, read now and kept."""

    def tables(self) -> Iterator[pa.Table]:
        """The rows, table by table, in any order."""


class LocalRows:
    """Rows that this process reads, one task after the other."""

    def __init__(self, *tasks: Task) -> None:
        self._tasks = tasks

    def plus(self, tasks: Sequence[Task], function: Function) -> LocalRows:
        """As :meth:`Rows.plus`."""
        return LocalRows(*self._tasks, LocalRows(*tasks).map(function).tables)

    def map(self, function: Function) -> LocalRows:
        """As :meth:`Rows.map`."""
        return LocalRows(lambda: map(function, self.tables()))

    def grouped(self, column: str, partitions: int) -> LocalRows:
        """One table of all rows: whatever the column, those of one value are in it."""
        return LocalRows(lambda: [pa.concat_tables(self.tables())])

    def materialize(self) -> LocalRows:
        """As :meth:`Rows.materialize`."""
        found = list(self.tables())
        return LocalRows(lambda: found)

    def tables(self) -> Iterator[pa.Table]:
        """As :meth:`Rows.tables`."""
        for task in self._tasks:
            yield from task()


def empty_rows(table: TableSources) -> Rows:
    """No rows yet, but of the kind to add the table's rows to: this process reads them, or Ray Data."""
    size = sum(file_schema.file.size for file_schema in table.file_schemas())
    if table.rows <= MAX_LOCAL_ROWS and size <= MAX_LOCAL_BYTES:
        return LocalRows()
    from remora.ingest.ray_rows import RayRows  # seconds to import, and not needed for a small table

    return RayRows()


def source_rows(empty: Rows, sources: TableSources, functions: Sequence[Function]) -> Rows:
    """What the function of each source makes of its rows; a task for each split of a file."""
    rows = empty
    for (source, file_schemas), function in zip(sources.sources, functions, strict=True):
        read = FORMATS[source.format].read
        splits = [split for file_schema in file_schemas for split in file_schema.splits]
        rows = rows.plus([partial(read, split, source) for split in splits], function)
    return rows
