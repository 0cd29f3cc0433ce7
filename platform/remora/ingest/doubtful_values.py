"""Doubts about single values, each with a few of them as they stand in the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl
import pyarrow as pa

from remora.ingest.casting import THOUSANDS_POINTS
from remora.ingest.contract import REASON, UNREAD
from remora.ingest.row_counts import EXAMPLES
from remora.ingest.schema import columns_of
from remora.settings import SourceSettings

UNREAD_VALUES = "unread_values"
THOUSANDS = "thousands_points"
OTHER_POINTS = "other_points"

SHOWN = 3
LONGEST = 40


def doubtful_values(
    raw: pa.Table, validated: pl.DataFrame, source: SourceSettings
) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """A doubt with its column (``code:column``), how many rows have it, and the first of their distinct values."""
    rows = pl.DataFrame(pl.from_arrow(raw))
    for name, column in columns_of(source).items():
        unread = validated[REASON].str.starts_with(f"{name}{UNREAD}").fill_null(False)
        yield from _some(f"{UNREAD_VALUES}:{name}", rows[column].filter(unread))
        numeric = rows.schema[column] == pl.String and validated.schema[name].is_numeric()
        if numeric and source.decimal == "." and source.format != "updates":  # numbers when they were sent
            pointed = rows[column].str.strip_chars().drop_nulls()
            pointed = pointed.filter(pointed.str.contains(".", literal=True))
            thousands = pointed.str.contains(THOUSANDS_POINTS)
            yield from _some(f"{THOUSANDS}:{name}", pointed.filter(thousands))
            yield from _some(f"{OTHER_POINTS}:{name}", pointed.filter(~thousands))


def _some(doubt: str, values: pl.Series) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    if len(values):
        yield doubt, len(values), tuple(sorted({str(value) for value in values.unique().to_list()})[:EXAMPLES])


def with_examples(reasons: Mapping[str, int], examples: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The reasons, those of values that cannot be read with up to three of the values.

    >>> with_examples({"price cannot be read as number": 2}, {"unread_values:price": ["1,5", "free"]})
    {"price cannot be read as number (e.g. '1,5', 'free')": 2}
    """
    shown = {}
    for reason, rows in reasons.items():
        name, unread, _ = reason.rpartition(UNREAD)
        values = examples.get(f"{UNREAD_VALUES}:{name}", ()) if unread else ()
        some = ", ".join(repr(_cut(value)) for value in values[:SHOWN])
        shown[f"{reason} (e.g. {some})" if some else reason] = rows
    return shown


def _cut(value: str) -> str:
    return value if len(value) <= LONGEST else f"{value[: LONGEST - 1]}…"
