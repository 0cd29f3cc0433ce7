"""Items that the same people want around the same time (item-to-item co-visitation)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from remora.contracts.tables import EVENT_TIMESTAMP, USER_ID
from remora.contracts.vocabulary import Vocabulary
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.wanted import COLUMNS, rows_of, wanted
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset


def count(events: Dataset, vocabulary: Vocabulary, settings: Settings, as_of: datetime) -> Neighbours:
    """Count co-visitation on Ray Data from events strictly before ``as_of``.

    Each pair of distinct items that one user wanted within ``co_visited_window`` wanted events of each other counts
    ``2 ** (-age / half_life) / log2(1 + distance)``, the age being that of the later event at ``as_of``.
    The sum is divided by the product of both items' own sums to the power of ``co_visited_damping``: 0.5 is the
    cosine, less favours the popular. The best ``co_visited_neighbours`` of each item are kept.
    """
    rows = rows_of(vocabulary)
    partitions = settings.features.partitions

    def of_users(block: pa.Table) -> Iterator[Any]:
        found = _pairs(pl.DataFrame(pl.from_arrow(block)), rows, settings, as_of)
        yield found.to_arrow()

    def of_items(block: pa.Table) -> pa.Table:
        return pl.DataFrame(pl.from_arrow(block)).group_by("item", "other").agg(pl.col("weight").sum()).to_arrow()

    pairs = (
        events.select_columns([*COLUMNS])
        .repartition(partitions, keys=[USER_ID])
        .map_batches(of_users, batch_format="pyarrow", batch_size=None)
        .repartition(partitions, keys=["item"])
        .map_batches(of_items, batch_format="pyarrow", batch_size=None)
    )
    parts = [
        pl.DataFrame(pl.from_arrow(t)) for t in pairs.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)
    ]
    if not parts:
        return Neighbours.none(len(vocabulary))
    return _best(parts, len(vocabulary), settings)


def _pairs(events: pl.DataFrame, rows: pl.DataFrame, settings: Settings, as_of: datetime) -> pl.DataFrame:
    """Columns item, other, weight: ordered pairs of some users' wanted items, summed."""
    half_life_us = settings.retrieval.co_visited_half_life_days * 86_400e6
    age_us = (pl.lit(as_of) - pl.col(EVENT_TIMESTAMP)).dt.total_microseconds()
    ordered = wanted(events, rows, settings, as_of).select(
        pl.col(USER_ID).rank("dense").alias("user"), "row", (pl.lit(2.0) ** (age_us / -half_life_us)).alias("decay")
    )
    user, row, decay = (ordered[c].to_numpy() for c in ("user", "row", "decay"))
    total = pl.DataFrame(schema={"item": pl.Int32, "other": pl.Int32, "weight": pl.Float64})
    for distance in range(1, settings.retrieval.co_visited_window + 1):
        near = (user[:-distance] == user[distance:]) & (row[:-distance] != row[distance:])
        one, two = row[:-distance][near], row[distance:][near]
        weight = decay[distance:][near] / np.log2(1 + distance)
        both = pl.DataFrame({"item": one, "other": two, "weight": weight}).vstack(
            pl.DataFrame({"item": two, "other": one, "weight": weight})
        )
        total = pl.concat([total, both])
        if total.height > 4_000_000 or distance == settings.retrieval.co_visited_window:
            total = total.group_by("item", "other").agg(pl.col("weight").sum())
    return total


def _best(parts: list[pl.DataFrame], items: int, settings: Settings) -> Neighbours:
    """Normalise and keep the best of each item; in ``parts`` every item's pairs stand together."""
    own = np.zeros(items)
    for part in parts:
        own += np.bincount(part["item"].to_numpy(), part["weight"].to_numpy(), minlength=items)
    scale = np.where(own > 0, own, 1.0) ** -settings.retrieval.co_visited_damping
    kept = [
        part.with_columns(
            score=part["weight"].to_numpy() * scale[part["item"].to_numpy()] * scale[part["other"].to_numpy()]
        )
        .sort("score", "other", descending=[True, False])
        .group_by("item", maintain_order=True)
        .head(settings.retrieval.co_visited_neighbours)
        for part in parts
    ]
    best = pl.concat(kept).sort("item", "score", "other", descending=[False, True, False])
    return Neighbours.of_sorted(items, *(best[c].to_numpy() for c in ("item", "other", "score")))
