"""What the deep ranker reads of a batch, as tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from remora.core.vocabulary import ItemCodes
from remora.pipeline.live_rows import vectors_at
from remora.ranking.batch import Batch


def tensors(
    batch: Batch, item_vectors: Tensor, length: int, *, live: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What the network reads of n candidates of q slates, at most ``length`` items of a history.

    ``live`` (m, d) are the vectors of the rows behind the last of ``item_vectors``.

    Features (n, F) float32, items (n, d), histories (q, l, d), present (q, l) bool, slate (n,) int64.
    """
    history = padded(batch.histories, length)
    present = torch.from_numpy(history >= 0)
    return (
        torch.from_numpy(batch.features),
        vectors_at(item_vectors, live, torch.from_numpy(batch.rows.astype(np.int64))),
        vectors_at(item_vectors, live, torch.from_numpy(history).clamp(min=0)),
        present,
        torch.from_numpy(batch.slate),
    )


def padded(histories: Sequence[ItemCodes], length: int) -> np.ndarray:
    """The last ``length`` rows of each, shape (q, longest of them), -1 where none exists."""
    recent = [rows[-length:] if length else rows[:0] for rows in histories]
    found = np.full((len(recent), max((len(rows) for rows in recent), default=0)), -1, np.int64)
    for index, rows in enumerate(recent):
        found[index, : len(rows)] = rows
    return found
