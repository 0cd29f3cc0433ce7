"""A user as the state of their items in order; items as a table of vectors."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remora.retrieval.history_networks.build import state_network
from remora.retrieval.interaction_histories import Histories
from remora.settings.components import HistoryEncoderChoice


@dataclass(frozen=True, kw_only=True)
class SequenceSpec:
    """Everything that shapes the network. ``temperature``: scores are cosines over it; None: plain dot products."""

    items: int
    dimension: int
    encoder: HistoryEncoderChoice
    length: int
    temperature: float | None

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self) | {"encoder": self.encoder.model_dump(mode="json")}


class SequentialTower(nn.Module):
    """Scores are products of a state and the table's rows."""

    def __init__(self, spec: SequenceSpec) -> None:
        super().__init__()
        self.spec = spec
        self.table = nn.Embedding(spec.items, spec.dimension)
        nn.init.normal_(self.table.weight, std=0.02 if spec.temperature is None else spec.dimension**-0.5)
        self.history = encoder_of(spec)

    def forward(self, sequences: Tensor) -> Tensor:
        """States (n, L, d), or unit vectors over the temperature, for items (n, L) with padding behind."""
        return states(self.spec, self.history, F.embedding(sequences.clamp(min=0), self.vectors()))

    def start_from(self, items: npt.NDArray[np.float32]) -> None:
        """Begin at known vectors (items, d), such as what stands near each other in histories."""
        with torch.no_grad():
            self.table.weight.copy_(torch.from_numpy(items) + 1e-3 * self.table.weight)

    def vectors(self) -> Tensor:
        """Vectors (items, d) of the catalogue, of unit length where scores are cosines."""
        return self.table.weight if self.spec.temperature is None else F.normalize(self.table.weight, dim=1)

    @torch.inference_mode()
    def users(self, sequences: Tensor) -> Tensor:
        """The last state (n, d) of each sequence."""
        last = (sequences >= 0).sum(1).clamp(min=1) - 1
        return self(sequences)[torch.arange(len(sequences), device=sequences.device), last]


def encoder_of(spec: SequenceSpec) -> nn.Module:
    """The reader of a history, with new weights."""
    return state_network(spec.encoder, dimension=spec.dimension, length=spec.length)


def states(spec: SequenceSpec, encoder: nn.Module, read: Tensor) -> Tensor:
    """States (n, L, d) of sequences of items' vectors (n, L, d), padding behind; unit vectors over the temperature."""
    if spec.temperature is None:
        return encoder(read)  # type: ignore[no-any-return]
    return F.normalize(encoder(read * spec.dimension**0.5), dim=-1) / spec.temperature


@torch.inference_mode()
def user_vectors(tower: SequentialTower, histories: Histories, step: int = 256) -> npt.NDArray[np.float32]:
    """The state (users, d) of every history; an empty one is zero."""
    device = next(tower.parameters()).device
    found = np.zeros((len(histories), tower.spec.dimension), np.float32)
    tower.eval()
    # Histories of like length together need the least padding.
    order = np.argsort(histories.lengths, kind="stable")
    order = order[histories.lengths[order] > 0]
    for begin in range(0, len(order), step):
        part = order[begin : begin + step]
        sequences = torch.as_tensor(histories.padded(part, tower.spec.length), device=device)
        found[part] = tower.users(sequences).float().cpu().numpy()
    return found
