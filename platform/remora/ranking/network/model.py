"""The deep ranker as a ranking model: NumPy in, NumPy out, one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from remora.contracts.errors import DataError
from remora.contracts.json_document import parse_document
from remora.contracts.vocabulary import ItemCodes
from remora.ranking.batch import Batch
from remora.ranking.model import Margins
from remora.ranking.network.network import NetworkSpec, RankingNetwork

SPEC, WEIGHTS = "network.json", "network.safetensors"


@dataclass(frozen=True)
class Network:
    """Weights, and the vectors (items, d) of the items by row. ``indices``: of the objectives that are predicted."""

    spec: NetworkSpec
    network: RankingNetwork
    item_vectors: Tensor
    indices: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        self.network.eval()
        if self.item_vectors.shape[1] != self.spec.dimension:
            raise DataError(
                f"The deep ranker reads item vectors of {self.spec.dimension} numbers, these have "
                f"{self.item_vectors.shape[1]}: they come from different bundles. Train the ranker again."
            )

    @torch.inference_mode()
    def margins(self, batch: Batch) -> Margins:
        """Shape (n, objectives) float32, in the order of ``spec.objectives`` or of ``indices``."""
        found: Margins = self.network(*tensors(batch, self.item_vectors, self.spec.settings.history)).numpy()
        return found if self.indices is None else found[:, self.indices]

    def select(self, indices: Sequence[int]) -> Network:
        """The same network, of which fewer columns are predicted: objectives share all but the last layers."""
        before = range(len(self.spec.objectives)) if self.indices is None else self.indices
        return replace(self, indices=tuple(before[index] for index in indices))

    def save(self, folder: Path) -> None:
        """``network.json`` and ``network.safetensors``."""
        (folder / SPEC).write_text(self.spec.model_dump_json(indent=1))
        save_file({name: value.contiguous() for name, value in self.network.state_dict().items()}, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path, item_vectors: Tensor) -> Network:
        """What :meth:`save` wrote, over ``item_vectors`` (items, d); DataError when d is not what the network reads."""
        spec = parse_document((folder / SPEC).read_bytes(), str(folder / SPEC), NetworkSpec, "Build the bundle again.")
        network = RankingNetwork(spec)
        network.load_state_dict(load_file(folder / WEIGHTS))
        return cls(spec, network, item_vectors)


def tensors(batch: Batch, item_vectors: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """What :class:`RankingNetwork` reads of n candidates of q slates, at most ``length`` items of a history.

    Features (n, F) float32, items (n, d), histories (q, l, d), present (q, l) bool, slate (n,) int64.
    """
    history = padded(batch.histories, length)
    present = torch.from_numpy(history >= 0)
    return (
        torch.from_numpy(batch.features),
        item_vectors[torch.from_numpy(batch.rows.astype(np.int64))],
        item_vectors[torch.from_numpy(history).clamp(min=0)],
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
