"""Served slates that were collected: the files of the home, read with the columns that there are today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from remora.core.home import Home
from remora.core.parquet import read_parquet
from remora.events.tables import FEATURES, SLATE, SLATES


def collected_slates(home: Home, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Each file's slates, in the order in which they were collected; a column that a file was made without is null.

    UnreadableInput for a file that is not as it was written.
    """
    for path in home.files(SLATES):
        table = _read(home, path, columns)
        for name in columns:
            if name not in table.column_names:
                table = table.append_column(name, pa.nulls(len(table), SLATE.field(name).type))
        yield table.select(columns)


def slates_with_features(home: Home, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The same of slates whose features were logged, which ``columns`` name."""
    for table in collected_slates(home, columns):
        yield table.filter(table[FEATURES].is_valid())


def _read(home: Home, path: str, columns: Sequence[str]) -> pa.Table:
    where = home.at(f"{SLATES}/{path}")
    there = pq.read_schema(where, filesystem=home.filesystem).names
    return read_parquet(where, [name for name in columns if name in there], filesystem=home.filesystem)
