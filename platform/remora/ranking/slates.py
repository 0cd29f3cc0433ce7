"""Slates of the past, labelled: what ranking models learn from and are chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from remora.ranking.batch import Batch, stacked

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
