"""The chosen linear model as item-item lists, fitted to a lake's events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import ray

from remora.contracts.tables import EVENT_TIMESTAMP, EVENT_TYPE, ITEM_ID, USER_ID
from remora.contracts.vocabulary import Vocabulary
from remora.retrieval.histories import Histories
from remora.retrieval.linear.model import neighbours
from remora.retrieval.linear.table import LINEAR_MODELS
from remora.retrieval.neighbours import Neighbours
from remora.settings import RetrievalSettings, Settings

if TYPE_CHECKING:
    from ray.data import Dataset

COLUMNS = [USER_ID, ITEM_ID, EVENT_TYPE, EVENT_TIMESTAMP]
LONGEST = 200


def fit(events: Dataset, vocabulary: Vocabulary, settings: Settings, as_of: datetime) -> Neighbours:
    """Of each item those that the model puts next, from wanted events strictly before ``as_of``.

    Ray Data brings each user's last 200 wanted items into order; the ridge regression (see
    :class:`~remora.retrieval.linear.next_item.NextItem`) is one Ray task. Its Gram matrix is dense, so it knows the
    ``linear_catalogue`` items that are wanted most; others have no neighbours and are nobody's.
    """
    chosen = settings.retrieval
    if not chosen.linear_limit:
        return Neighbours.none(len(vocabulary))
    rows_of = pl.DataFrame({ITEM_ID: vocabulary.ids, "row": np.arange(len(vocabulary), dtype=np.int32)})

    def of_users(block: pa.Table) -> pa.Table:
        wanted = pl.DataFrame(pl.from_arrow(block)).filter(
            pl.col(EVENT_TYPE).is_in(list(settings.data.positive_types)), pl.col(EVENT_TIMESTAMP) < pl.lit(as_of)
        )
        ordered = wanted.join(rows_of, on=ITEM_ID).sort(USER_ID, EVENT_TIMESTAMP, "row")
        return ordered.group_by(USER_ID, maintain_order=True).agg(pl.col("row").tail(LONGEST)).to_arrow()

    histories = (
        events.select_columns([*COLUMNS])
        .repartition(settings.features.partitions, keys=[USER_ID])
        .map_batches(of_users, batch_format="pyarrow", batch_size=None)
    )
    parts = [t for t in histories.iter_batches(batch_format="pyarrow", batch_size=None) if len(t)]
    if not parts:
        return Neighbours.none(len(vocabulary))
    found: Neighbours = ray.get(_fitted.remote(pa.concat_tables(parts), len(vocabulary), chosen))
    return found


@ray.remote
def _fitted(histories: pa.Table, items: int, chosen: RetrievalSettings) -> Neighbours:
    ordered = histories.sort_by(USER_ID)["row"]  # users come in the order in which their tasks ended
    return of_histories([np.asarray(h, np.int64) for h in ordered.to_numpy()], items, chosen)


def of_histories(histories: list[npt.NDArray[np.int64]], items: int, chosen: RetrievalSettings) -> Neighbours:
    """From users' item rows in order; no list is longer than ``linear_neighbours``, no score is negative."""
    counts = np.bincount(np.concatenate(histories), minlength=items)
    head = np.sort(np.argsort(-counts, kind="stable")[: min(chosen.linear_catalogue, int((counts > 0).sum()))])
    place = np.full(items, -1, np.int64)
    place[head] = np.arange(len(head))
    within = [known for h in histories if len(known := place[h][place[h] >= 0]) > 1]
    if not within or len(head) < 2:
        return Neighbours.none(items)
    model = LINEAR_MODELS[chosen.linear_model](Histories.of(within, len(head)), chosen)
    parts, begin = [], 0
    for rows, scores in neighbours(model, len(head), chosen.linear_neighbours):
        at, column = np.nonzero(scores > 0)
        parts.append((head[begin + at], head[rows[at, column]], scores[at, column]))
        begin += len(rows)
    return Neighbours.of_sorted(items, *(np.concatenate(column) for column in zip(*parts, strict=True)))
