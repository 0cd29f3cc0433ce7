"""Slates of the past, labelled: what ranking models learn from and are chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remora.contracts.tables import ITEM_ID, USER_ID
from remora.contracts.vocabulary import Vocabulary
from remora.datasets.queries import LABEL
from remora.datasets.ranking_rows import HISTORY_EVENTS, INSTANT, QUERY_ID, SAMPLED
from remora.ranking.batch import Batch, stacked
from remora.ranking.columns import RankerColumns

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Slates:
    """Candidates of past queries. ``labels`` by objective and ``sampled`` have shape (n,); ``history_events`` (q,)
    counts the positive events of each slate's user before it."""

    batch: Batch
    labels: Mapping[str, Floats]
    sampled: Floats
    history_events: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """How many slates."""
        return len(self.batch.histories)

    @property
    def counts(self) -> Floats:
        """How many candidates as they were served each row stands for, shape (n,)."""
        return np.float32(1) / self.sampled

    @classmethod
    def of(cls, rows: pa.Table, histories: pa.Table, columns: RankerColumns, vocabulary: Vocabulary) -> Slates:
        """From rows with features, those of a query together, and (user_id, instant, history of item rows)."""
        ids = rows[QUERY_ID].to_numpy(zero_copy_only=False)
        begins = np.flatnonzero(np.append(True, ids[1:] != ids[:-1])) if len(ids) else np.empty(0, np.int64)
        keys = zip(histories[USER_ID].to_pylist(), histories[INSTANT].to_pylist(), strict=True)
        at = {key: index for index, key in enumerate(keys)}
        groups = rows.select([USER_ID, INSTANT]).take(begins)
        indices = [at[key] for key in zip(groups[USER_ID].to_pylist(), groups[INSTANT].to_pylist(), strict=True)]
        read = [np.asarray(history, np.int32) for history in histories["history"].take(indices).to_pylist()]
        return cls(
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

    def take(self, slates: npt.NDArray[np.int64]) -> Slates:
        """The slates numbered ``slates`` (k,), ascending and without repeats, renumbered from 0."""
        slates = np.unique(slates)
        at = self.batch.indices(slates)
        return Slates(
            batch=self.batch.take(slates),
            labels={name: label[at] for name, label in self.labels.items()},
            sampled=self.sampled[at],
            history_events=self.history_events[slates],
        )

    def with_features(self, indices: Sequence[int]) -> Slates:
        """The same with some of the features."""
        features = np.ascontiguousarray(self.batch.features[:, indices])
        return replace(self, batch=replace(self.batch, features=features))

    def with_any(self, *labels: Floats) -> Slates:
        """Those with a candidate of which one of the ``labels`` (n,) is above 0: an order can be learned from them."""
        positive = np.any([label > 0 for label in labels], axis=0)
        return self.take(np.unique(self.batch.slate[positive]))


def both(first: Slates, then: Slates) -> Slates:
    """The slates of ``then`` after those of ``first``; both have the same feature columns and labels."""
    return Slates(
        batch=stacked(first.batch, then.batch),
        labels={name: np.concatenate([first.labels[name], then.labels[name]]) for name in first.labels},
        sampled=np.concatenate([first.sampled, then.sampled]),
        history_events=np.concatenate([first.history_events, then.history_events]),
    )


def _rows(rows: pa.Table, vocabulary: Vocabulary) -> npt.NDArray[np.int32]:
    items = rows[ITEM_ID].combine_chunks().dictionary_encode()
    known = [vocabulary.row(item) for item in items.dictionary.to_pylist()]
    return np.array([-1 if row is None else row for row in known], np.int32)[items.indices.to_numpy()]
