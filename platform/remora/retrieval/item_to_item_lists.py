"""The chosen linear model as item-item lists, fitted to a lake's events."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from remora.core.vocabulary import Vocabulary
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.linear.model import neighbours
from remora.retrieval.models.linear import LinearLists
from remora.retrieval.neighbours import Neighbours
from remora.retrieval.positive_events import positive_histories
from remora.settings import Settings

if TYPE_CHECKING:
    from ray.data import Dataset

LONGEST = 200


def fit(
    events: Dataset, vocabulary: Vocabulary, settings: Settings, as_of: datetime, config: LinearLists.Config
) -> Neighbours:
    """Of each item those that the model gives a user who had it alone, from positive events strictly before ``as_of``.

    Ray Data brings each user's last 200 positive items into order; the fit is one Ray task. Most models need a dense
    matrix of items, so they know the ``max_items`` items that are most popular; others have no neighbours and
    are in no list.
    """
    histories = positive_histories(events, vocabulary, settings, as_of, longest=LONGEST)
    if not len(histories):
        return Neighbours.none(len(vocabulary))
    found: Neighbours = ray.get(_fitted.remote(histories, len(vocabulary), config))
    return found


@ray.remote
def _fitted(histories: pa.Table, items: int, config: LinearLists.Config) -> Neighbours:
    return of_histories([np.asarray(h, np.int64) for h in histories["row"].to_numpy()], items, config)


def of_histories(histories: list[npt.NDArray[np.int64]], items: int, config: LinearLists.Config) -> Neighbours:
    """From each user's item rows (events,) in order; no list is longer than ``top_k``, no score is negative."""
    counts = np.bincount(np.concatenate(histories), minlength=items)
    head = np.sort(np.argsort(-counts, kind="stable")[: min(config.max_items, int((counts > 0).sum()))])
    place = np.full(items, -1, np.int64)
    place[head] = np.arange(len(head))
    within = [known for h in histories if len(known := place[h][place[h] >= 0]) > 1]
    if not within or len(head) < 2:
        return Neighbours.none(items)
    model = config.model.component.cls.learn(Histories.of(within, len(head)), config.model.config)
    parts, begin = [], 0
    for rows, scores in neighbours(model, len(head), config.top_k):
        at, column = np.nonzero(scores > 0)
        parts.append((head[begin + at], head[rows[at, column]], scores[at, column]))
        begin += len(rows)
    return Neighbours.of_sorted(items, *(np.concatenate(column) for column in zip(*parts, strict=True)))
