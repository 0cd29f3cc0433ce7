"""Items that the same people want around the same time (item-to-item co-visitation)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from remora.contracts.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.contracts.vocabulary import NO_ROWS, Rows, Vocabulary
from remora.pipeline.candidates import Found
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

COLUMNS = [USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP]


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of every item, best first: those of row i stand at ``starts[i]:starts[i+1]``."""

    starts: npt.NDArray[np.int64]  # (items + 1,)
    rows: Rows  # (pairs,)
    scores: npt.NDArray[np.float32]  # (pairs,)

    def of(self, row: int) -> Found:
        """What goes with one item."""
        where = slice(self.starts[row], self.starts[row + 1])
        return Found(self.rows[where], self.scores[where])

    def of_many(self, rows: Rows, weights: npt.NDArray[np.float32]) -> Found:
        """Weighted sum of the neighbours of several items, best first; ties by row."""
        if not len(rows):
            return Found(NO_ROWS, np.empty(0, np.float32))
        counts = self.starts[rows + 1] - self.starts[rows]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        where = np.repeat(self.starts[rows], counts) + within
        found, place = np.unique(self.rows[where], return_inverse=True)
        total = np.bincount(place, self.scores[where] * np.repeat(weights, counts), minlength=len(found))
        order = np.lexsort((found, -total))
        return Found(found[order].astype(np.int32), total[order].astype(np.float32))

    def save(self, path: Path | str) -> None:
        """Write one Parquet file with columns item, neighbour, score."""
        items = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
        table = pa.table({"item": items, "neighbour": self.rows, "score": self.scores})
        pq.write_table(table.replace_schema_metadata({b"items": str(len(self.starts) - 1).encode()}), path)

    @classmethod
    def load(cls, path: Path | str) -> Neighbours:
        """What :meth:`save` wrote."""
        table = pq.read_table(path)
        items = int(table.schema.metadata[b"items"])
        return cls._of_sorted(items, *(table[c].to_numpy() for c in ("item", "neighbour", "score")))

    @classmethod
    def _of_sorted(cls, items: int, item: Any, neighbour: Any, score: Any) -> Neighbours:
        starts = np.searchsorted(item, np.arange(items + 1)).astype(np.int64)
        return cls(starts, np.asarray(neighbour, np.int32), np.asarray(score, np.float32))


def count(events: Dataset, vocabulary: Vocabulary, settings: Settings, as_of: datetime) -> Neighbours:
    """Count co-visitation on Ray Data from events strictly before ``as_of``.

    Each pair of distinct items that one user wanted within ``co_visited_window`` wanted events of each other counts
    ``2 ** (-age / half_life) / log2(1 + distance)``, the age being that of the later event at ``as_of``.
    The sum is divided by the product of both items' own sums to the power of ``co_visited_damping``: 0.5 is the
    cosine, less favours the popular. The best ``co_visited_neighbours`` of each item are kept.
    """
    rows_of = pl.DataFrame({ITEM_ID: vocabulary.ids, "row": np.arange(len(vocabulary), dtype=np.int32)})
    partitions = settings.features.partitions

    def of_users(block: pa.Table) -> Iterator[Any]:
        found = _pairs(pl.DataFrame(pl.from_arrow(block)), rows_of, settings, as_of)
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
        return Neighbours(np.zeros(len(vocabulary) + 1, np.int64), NO_ROWS, np.empty(0, np.float32))
    return _best(parts, len(vocabulary), settings)


def _pairs(events: pl.DataFrame, rows_of: pl.DataFrame, settings: Settings, as_of: datetime) -> pl.DataFrame:
    """Columns item, other, weight: ordered pairs of some users' wanted items, summed."""
    half_life_us = settings.retrieval.co_visited_half_life_days * 86_400e6
    age_us = (pl.lit(as_of) - pl.col(EVENT_TIMESTAMP)).dt.total_microseconds()
    wanted = (
        events.filter(
            pl.col(EVENT_TYPE).is_in(list(settings.data.positive_types)), pl.col(EVENT_TIMESTAMP) < pl.lit(as_of)
        )
        .join(rows_of, on=ITEM_ID)
        .sort(USER_ID, EVENT_TIMESTAMP, "row")
        .select(
            pl.col(USER_ID).rank("dense").alias("user"),
            "row",
            (pl.lit(2.0) ** (age_us / -half_life_us)).alias("decay"),
        )
    )
    user, row, decay = (wanted[c].to_numpy() for c in ("user", "row", "decay"))
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
    return Neighbours._of_sorted(items, *(best[c].to_numpy() for c in ("item", "other", "score")))
