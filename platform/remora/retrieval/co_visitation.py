"""Items that the same people want around the same time (item-to-item co-visitation)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import ray

from remora.core.tables import EVENT_TIMESTAMP, USER_ID
from remora.core.vocabulary import ItemCodes, Vocabulary
from remora.retrieval.models.co_visitation import CoVisitation
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.positive_events import COLUMNS, positive_events, rows_of
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

ITEM, OTHER, SCORE = "item", "other", "score"
MOST_PENDING = 4_000_000  # rows that wait to be added up, while fewer pairs than that are known


def count(
    events: Dataset, vocabulary: Vocabulary, settings: Settings, as_of: datetime, config: CoVisitation.Config
) -> Neighbours:
    """Count co-visitation on Ray Data from events (rows of the lake) strictly before ``as_of``.

    Each pair of distinct items that one user wanted within ``window`` positive events of each other counts
    ``2 ** (-age / half_life) / log2(1 + distance)``, the age being that of the later event at ``as_of``.
    The sum is divided by the product of both items' own sums to the power of ``popularity_exponent``:
    0.5 is the cosine, less favours the popular. The best ``neighbours`` of each item are kept.

    Own sums come first, so that pairs are normalised where they are counted and only the best of each item leave the
    task that adds it up.
    """
    partitions = settings.features.partitions
    rows = rows_of(vocabulary)
    half_life_us = config.half_life_days * 86_400e6

    def ordered(block: pa.Table) -> pa.Table:
        age_us = (pl.lit(as_of) - pl.col(EVENT_TIMESTAMP)).dt.total_microseconds()
        return (
            positive_events(pl.DataFrame(pl.from_arrow(block)), rows, settings, as_of)
            .select(
                pl.col(USER_ID).rank("dense").alias("user"),
                "row",
                (pl.lit(2.0) ** (age_us / -half_life_us)).alias("decay"),
            )
            .to_arrow()
        )

    # As they come out of the shuffle: Ray cuts large blocks that a function returns, and users with them.
    by_user = events.select_columns([*COLUMNS]).repartition(partitions, keys=[USER_ID]).materialize()
    own = np.zeros(len(vocabulary))
    sums = by_user.map_batches(lambda block: _own_sums(ordered(block), config), batch_format="pyarrow", batch_size=None)
    for part in sums.iter_batches(batch_format="pyarrow", batch_size=None):
        np.add.at(own, part[ITEM].to_numpy(), part["own"].to_numpy())
    # One copy for all tasks: with a large catalogue it is too much for each of them to carry.
    scale = ray.put(np.where(own > 0, own, 1.0) ** -config.popularity_exponent)
    kept = (
        by_user.map_batches(
            lambda block: _pairs(ordered(block), ray.get(scale), config), batch_format="pyarrow", batch_size=None
        )
        .repartition(partitions, keys=[ITEM])
        .map_batches(lambda block: _best(block, config), batch_format="pyarrow", batch_size=None)
    )
    parts = [t for t in kept.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    if not parts:
        return Neighbours.none(len(vocabulary))
    best = pl.DataFrame(pl.from_arrow(pa.concat_tables(parts))).sort(
        ITEM, SCORE, OTHER, descending=[False, True, False]
    )
    return Neighbours.of_sorted(len(vocabulary), *(best[c].to_numpy() for c in (ITEM, OTHER, SCORE)))


def _near(events: pa.Table, window: int) -> Iterator[tuple[ItemCodes, ItemCodes, npt.NDArray[np.float64]]]:
    """For each distance, earlier row, later row and weight of the pairs that are so far apart; all (pairs,)."""
    user, row, decay = (events[c].to_numpy() for c in ("user", "row", "decay"))
    for distance in range(1, window + 1):
        near = (user[:-distance] == user[distance:]) & (row[:-distance] != row[distance:])
        yield row[:-distance][near], row[distance:][near], decay[distance:][near] / np.log2(1 + distance)


def _own_sums(events: pa.Table, config: CoVisitation.Config) -> pa.Table:
    """Columns item, own: of each item of some users the weights of all pairs that it is in."""
    rows, place = np.unique(events["row"].to_numpy(), return_inverse=True)
    own = np.zeros(len(rows))
    placed = events.drop_columns("row").append_column("row", pa.array(place))
    for earlier, later, weight in _near(placed, config.window):
        for side in (earlier, later):
            own += np.bincount(side, weight, minlength=len(rows))
    return pa.table({ITEM: rows, "own": own})


def _pairs(events: pa.Table, scale: npt.NDArray[np.float64], config: CoVisitation.Config) -> Iterator[pa.Table]:
    """Columns item, other, score: the pairs of some users' items, summed; each once by either of its items."""
    total = pl.DataFrame(schema={ITEM: pl.Int32, OTHER: pl.Int32, SCORE: pl.Float64})
    pending: list[pl.DataFrame] = []
    waiting = 0

    def added_up() -> pl.DataFrame:
        return pl.concat([total, *pending]).group_by(ITEM, OTHER).agg(pl.col(SCORE).sum())

    for earlier, later, weight in _near(events, config.window):
        one, two = np.minimum(earlier, later), np.maximum(earlier, later)
        pending.append(pl.DataFrame({ITEM: one, OTHER: two, SCORE: weight * scale[one] * scale[two]}))
        waiting += len(one)
        if waiting > max(MOST_PENDING, total.height):  # as much again as is known: every row is added up a few times
            total, pending, waiting = added_up(), [], 0
    total = added_up()
    yield total.to_arrow()
    yield total.select(pl.col(OTHER).alias(ITEM), pl.col(ITEM).alias(OTHER), SCORE).to_arrow()


def _best(pairs: pa.Table, config: CoVisitation.Config) -> pa.Table:
    """Of each item in some pairs the best others, best first."""
    return (
        pl.DataFrame(pl.from_arrow(pairs))
        .group_by(ITEM, OTHER)
        .agg(pl.col(SCORE).sum())
        .sort(SCORE, OTHER, descending=[True, False])
        .group_by(ITEM, maintain_order=True)
        .head(config.neighbours)
        .to_arrow()
    )
