"""Rows that were not accepted, as they stood in the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pyarrow as pa

from remora.core.errors import QuarantineLimitExceeded
from remora.core.tables import QUARANTINE
from remora.ingest.contract import FILTER, REASON, UNKNOWN_ITEM, UNREADABLE_ROW
from remora.ingest.doubtful_values import with_examples
from remora.ingest.files import ORDER, UNREADABLE, order_of

HINTS = {
    UNREADABLE_ROW: "Rows are divided otherwise than the header: look at the source's `delimiter` and `quote`, and at "
    "`escape` where quotes within quotes have a backslash before them, as Spark and MySQL write them.",
    UNKNOWN_ITEM: "Check that item_id means the same in events and in items, and that the items are complete; with "
    "`data.unknown_items: keep` such events are accepted.",
}
"""What is behind a reason, where that is known."""


def rejected(table: str, raw: pa.Table, validated: pl.DataFrame, paths: Mapping[int, str]) -> pa.Table:
    """The rows of ``raw`` that have a reason, in the schema QUARANTINE; ``paths`` are the table's files by number."""
    rows = pl.DataFrame(pl.from_arrow(raw)).with_columns(validated[REASON]).filter(pl.col(REASON).is_not_null())
    file, row = pl.col(ORDER) // order_of(1, 0), pl.col(ORDER) % order_of(1, 0)
    found = rows.select(
        table=pl.lit(table),
        reason=pl.col(REASON),
        declared=pl.col(REASON).str.starts_with(FILTER),
        source_file=file.replace_strict(dict(paths), return_dtype=pl.String),
        source_row=row,
        row=_as_json(rows),
    )
    return found.to_arrow().cast(QUARANTINE)


def check_limit(
    table: str,
    rows: int,
    reasons: dict[str, int],
    limit: float,
    examples: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """QuarantineLimitExceeded when the share of rows with an undeclared reason is over the limit.

    ``examples`` are those of doubts; the message shows those of values that cannot be read.
    """
    # What a filter of the settings leaves out is meant so, and says nothing about the quality of the data.
    broken = {reason: count for reason, count in reasons.items() if not reason.startswith(FILTER)}
    if sum(broken.values()) > limit * rows:
        listed = with_examples(broken, examples or {})
        raise QuarantineLimitExceeded(table, rows, sum(broken.values()), limit, listed, _hint(broken))


def _hint(broken: Mapping[str, int]) -> str:
    """That of the most frequent reason."""
    return HINTS.get(max(broken, key=lambda reason: broken[reason]), "")


def _as_json(rows: pl.DataFrame) -> pl.Expr:
    columns = [name for name in rows.columns if not name.startswith("__")]
    whole = pl.struct(columns).struct.json_encode()
    text = pl.struct(text=pl.col(UNREADABLE)).struct.json_encode()
    return pl.when(pl.col(UNREADABLE).is_null()).then(whole).otherwise(text)
