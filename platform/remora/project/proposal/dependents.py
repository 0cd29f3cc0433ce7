"""Columns of events that belong to the item or to the user: the same in every row of one id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from remora.project.proposal.columns import ColumnFacts

DEPENDS = 0.8
"""Of rows of one id, how much more often than of any two rows they have the same value, at least."""

LEAST_PAIRS = 50


def dependents(columns: Mapping[str, ColumnFacts], key: ColumnFacts, taken: Iterable[str]) -> dict[str, ColumnFacts]:
    """The columns that depend on ``key``, with one value for each id: the last. Under the key's name are the ids."""
    names = [name for name, column in columns.items() if name not in taken and _depends(column, key)]
    if not names:
        return {}
    last = (
        pl.DataFrame({"id": key.ids})
        .with_row_index("row")
        .drop_nulls("id")
        .group_by("id", maintain_order=True)
        .agg(pl.col("row").last())["row"]
    )
    chosen = {name: columns[name] for name in (key.name, *names)}
    return {name: ColumnFacts(name, column.raw.gather(last), column.source) for name, column in chosen.items()}


def _depends(column: ColumnFacts, key: ColumnFacts) -> bool:
    if column.kind in ("list", "other", "empty") or column.distinct < 2:
        return False
    rows = pl.DataFrame({"id": key.ids, "value": column.ids}).drop_nulls().sort("id", maintain_order=True)
    pairs = rows.filter(pl.col("id") == pl.col("id").shift()).height
    same = rows.filter((pl.col("id") == pl.col("id").shift()) & (pl.col("value") == pl.col("value").shift())).height
    if pairs < LEAST_PAIRS:
        return False
    shares = rows["value"].value_counts()["count"] / rows.height
    chance = float((shares**2).sum())
    return chance < 1 and (same / pairs - chance) / (1 - chance) >= DEPENDS
