"""Rows of the past with their features, as the slates that ranking models learn from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remora.core.tables import ITEM_ID, USER_ID
from remora.core.vocabulary import Vocabulary
from remora.datasets.queries import LABEL
from remora.datasets.ranking_rows import HISTORY_EVENTS, INSTANT, QUERY_ID, SAMPLED
from remora.ranking.batch import Batch
from remora.ranking.columns import RankerColumns
from remora.ranking.slates import Slates


def slates_of(rows: pa.Table, histories: pa.Table, columns: RankerColumns, vocabulary: Vocabulary) -> Slates:
    """From rows with features, those of a query together, and (user_id, instant, history of item rows)."""
    ids = rows[QUERY_ID].to_numpy(zero_copy_only=False)
    begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.empty(0, np.int64)
    keys = zip(histories[USER_ID].to_pylist(), histories[INSTANT].to_pylist(), strict=True)
    at = {key: index for index, key in enumerate(keys)}
    groups = rows.select([USER_ID, INSTANT]).take(begins)
    indices = [at[key] for key in zip(groups[USER_ID].to_pylist(), groups[INSTANT].to_pylist(), strict=True)]
    read = [np.asarray(history, np.int32) for history in histories["history"].take(indices).to_pylist()]
    return Slates(
        batch=Batch(
            features=columns.matrix_of(rows),
            rows=_rows(rows, vocabulary),
            slate=np.repeat(np.arange(len(begins)), np.diff(np.append(begins, len(ids)))),
            histories=[history[history >= 0] for history in read],
        ),
        labels={
            name.removeprefix(LABEL): rows[name].to_numpy().astype(np.float32)
            for name in rows.column_names
            if name.startswith(LABEL)
        },
        sampled=rows[SAMPLED].to_numpy().astype(np.float32),
        history_events=rows[HISTORY_EVENTS].to_numpy()[begins],
    )


def _rows(rows: pa.Table, vocabulary: Vocabulary) -> npt.NDArray[np.int32]:
    items = rows[ITEM_ID].combine_chunks().dictionary_encode()
    known = [vocabulary.row(item) for item in items.dictionary.to_pylist()]
    return np.array([-1 if row is None else row for row in known], np.int32)[items.indices.to_numpy()]
