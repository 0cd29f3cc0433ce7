"""What rows of events are doubted for without being refused: counted in the first pass, with examples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from remora.core.tables import EVENT_ID, EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, KNOWN_TIMESTAMP, USER_ID
from remora.core.vocabulary import MAX_ID_CHARACTERS
from remora.ingest.contract import REASON, UNDECLARED
from remora.ingest.doubtful_values import doubtful_values
from remora.ingest.files import UNREADABLE
from remora.ingest.row_counts import EXAMPLES
from remora.ingest.schema import columns_of
from remora.settings import SourceSettings

ITEM_NOT_YET = "items_after_events"
USER_UNKNOWN = "unknown_users"
ITEM_UNKNOWN = "unknown_items"
NULL_TEXT = "null_text_ids"
PADDED = "padded_ids"
DECOMPOSED = "decomposed_ids"
LONG = "long_ids"
SCIENTIFIC = "scientific_ids"
BACKSLASH = "backslash_quotes"
SWALLOWED = "swallowed_lines"
TYPE_UNKNOWN = "undeclared_event_types"
KNOWN_BEFORE = "known_before_event"
SAME_INSTANT = "same_instant"
LIST_SEPARATOR = "list_separator"

MARKS = ("|", ";", ",", "\t")
"""What commonly stands between the members of a list in text."""

_ACT = (USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP)

_NULL_WORDS = ("null", "none", "nan", "na", "n/a", "nil", "undefined", "(null)", "<null>", "\\n", "nat", "#n/a")

_SCIENTIFIC = r"^-?\d+(\.\d+)?[eE]\+\d+$"


@dataclass(frozen=True)
class Doubts:
    """What events are compared with: None where there is nothing to compare.

    ``users`` and ``items`` are the ids of those tables; ``since`` has the columns item_id and since, the instant of the
    item's first version.
    """

    users: pl.Series | None = None
    items: pl.Series | None = None
    since: pl.DataFrame | None = None

    def __call__(self, raw: pa.Table, validated: pl.DataFrame, source: SourceSettings) -> pl.DataFrame:
        """Lines of ``doubt``, ``rows`` and ``item``: one a doubt with its rows, and one an example, with 0 rows."""
        lines: list[dict[str, object]] = []
        for doubt, column, found in self._counts(raw, validated, source):
            counts = found.cast(pl.Int64).fill_null(0)
            hit = validated[column].filter(counts > 0)
            if len(hit):
                lines.append({"doubt": doubt, "rows": int(counts.sum()), "item": None})
                some = hit.drop_nulls().unique().sort().head(EXAMPLES)
                lines += [{"doubt": doubt, "rows": 0, "item": example} for example in some]
        for doubt, count, values in doubtful_values(raw, validated, source):
            lines.append({"doubt": doubt, "rows": count, "item": None})
            lines += [{"doubt": doubt, "rows": 0, "item": value} for value in values]
        return pl.DataFrame(lines, schema={"doubt": pl.String, "rows": pl.Int64, "item": pl.String})

    def _counts(
        self, raw: pa.Table, validated: pl.DataFrame, source: SourceSettings
    ) -> Iterator[tuple[str, str, pl.Series]]:
        """A doubt, the column of its examples, and for each row how much of it there is (or whether there is any)."""
        valid = validated[REASON].is_null()
        if self.users is not None:
            yield USER_UNKNOWN, USER_ID, valid & ~validated[USER_ID].is_in(self.users.implode())
        if self.items is not None:
            yield ITEM_UNKNOWN, ITEM_ID, valid & ~validated[ITEM_ID].is_in(self.items.implode())
        if self.since is not None:
            since = validated.select(ITEM_ID).join(self.since, on=ITEM_ID, how="left", maintain_order="left")["since"]
            yield ITEM_NOT_YET, ITEM_ID, valid & (validated[EVENT_TIMESTAMP] < since)
        for id in (USER_ID, ITEM_ID):
            words = validated[id].str.strip_chars()
            yield f"{NULL_TEXT}:{id}", id, valid & words.str.to_lowercase().is_in(_NULL_WORDS)
            yield f"{PADDED}:{id}", id, valid & (words != validated[id])
            yield f"{DECOMPOSED}:{id}", id, valid & decomposed(validated[id])
            yield f"{LONG}:{id}", id, valid & (validated[id].str.len_chars() > MAX_ID_CHARACTERS)
            yield f"{SCIENTIFIC}:{id}", id, valid & words.str.contains(_SCIENTIFIC)
        yield TYPE_UNKNOWN, EVENT_TYPE, validated[REASON] == UNDECLARED
        if KNOWN_TIMESTAMP in source.columns:
            yield KNOWN_BEFORE, ITEM_ID, valid & (validated[KNOWN_TIMESTAMP] < validated[EVENT_TIMESTAMP])
        yield SAME_INSTANT, ITEM_ID, same_instant(validated)
        yield BACKSLASH, ITEM_ID, backslashes(raw, source)
        yield SWALLOWED, ITEM_ID, swallowed_lines(raw, source)


def decomposed(ids: pl.Series) -> pl.Series:
    """A boolean for each id: is it in another form of Unicode than nearly all programs write (NFC), as an é of two
    characters is, which looks like one and is another id?"""
    beyond_ascii = ids.str.len_bytes() != ids.str.len_chars()
    return ids.str.normalize("NFC") != ids if beyond_ascii.any() else beyond_ascii


def same_instant(validated: pl.DataFrame) -> pl.Series:
    """A boolean for each row: does the event have user, item, type and instant in common with another of the batch?"""
    alike = validated[REASON].is_null() & validated.select(_ACT).is_duplicated()
    events = validated.select(*_ACT, EVENT_ID).with_row_index("row").filter(alike)
    several = events.filter(pl.col(EVENT_ID).n_unique().over(_ACT) > 1)["row"]  # equal rows are one event
    return pl.int_range(validated.height, eager=True).is_in(several.implode())


def undivided(raw: pa.Table, source: SourceSettings) -> dict[str, int]:
    """Of each column of lists in text, how many values have another of the MARKS as often as their separator."""
    rows, found = pl.DataFrame(pl.from_arrow(raw)), dict[str, int]()
    marks = [mark for mark in MARKS if mark not in source.list_separator]
    for name, column in columns_of(source).items():
        if source.types.get(name) == "list[string]" and rows.schema[column] == pl.String:
            own, *others = (
                pl.col(column).str.count_matches(mark, literal=True) for mark in (source.list_separator, *marks)
            )
            most = pl.max_horizontal(others)
            found[name] = int(rows.select(((most > 0) & (most >= own)).sum()).item())
    return found


def backslashes(raw: pa.Table, source: SourceSettings) -> pl.Series:
    """Which rows have a backslash before a quote, in a CSV file with quotes and without an `escape`."""
    rows = pl.DataFrame(pl.from_arrow(raw))
    if source.format != "csv" or source.quote != '"' or source.escape is not None:
        return pl.Series([False] * rows.height, dtype=pl.Boolean)
    texts = [pl.col(name).str.contains('\\"', literal=True) for name, type in rows.schema.items() if type == pl.String]
    return rows.select(found=pl.any_horizontal(texts).fill_null(False) if texts else pl.lit(False))["found"]


def swallowed_lines(raw: pa.Table, source: SourceSettings) -> pl.Series:
    """How many lines within each row have as many delimiters as a row: an open quote has taken them in.

    They are within a value, or in the text of a row that has another number of columns than the header.
    """
    rows = pl.DataFrame(pl.from_arrow(raw))
    columns = [name for name, type in rows.schema.items() if type == pl.String and not name.startswith("__")]
    if source.format != "csv" or source.quote is None or len(columns) < 2:
        return pl.Series([0] * rows.height, dtype=pl.Int64)
    mark = f"\\{source.delimiter}" if source.delimiter in "|^$.*+?()[]{}&~-#" else source.delimiter
    line = rf"[\r\n](?:[^\r\n{mark}]*{mark}){{{len(columns) - 1}}}[^\r\n{mark}]*"
    many = [
        pl.when(pl.col(name).str.contains(r"[\r\n]")).then(pl.col(name).str.count_matches(line)).otherwise(0)
        for name in [*columns, UNREADABLE]
    ]
    return rows.select(found=pl.sum_horizontal(many).cast(pl.Int64))["found"]
