"""Matrix factorisation: users and items as tables of vectors, for who had what without order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remora.retrieval.losses.candidates import SampledNegatives
from remora.retrieval.losses.loss import loss_of
from remora.settings.components import LossChoice

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class PairSpec:
    """Everything that shapes the two tables; scores are cosines over ``temperature``."""

    users: int
    items: int
    dimension: int
    temperature: float


class MatrixFactorization(nn.Module):
    """Two tables whose gradients are sparse: a step costs what its batch touches, not what the tables hold."""

    def __init__(self, spec: PairSpec) -> None:
        super().__init__()
        self.spec = spec
        self.user_table = nn.Embedding(spec.users, spec.dimension, sparse=True)
        self.item_table = nn.Embedding(spec.items, spec.dimension, sparse=True)
        for table in (self.user_table, self.item_table):
            nn.init.normal_(table.weight, std=spec.dimension**-0.5)

    def start_from(self, users: Vectors, items: Vectors) -> None:
        """Begin at known vectors, such as a graph's smoothest directions: most of the way is then done."""
        with torch.no_grad():
            for table, vectors in ((self.user_table, users), (self.item_table, items)):
                unit = F.normalize(torch.from_numpy(vectors), dim=1)
                table.weight.copy_(F.normalize(unit + 1e-3 * table.weight, dim=1))

    def user_vectors(self) -> Vectors:
        """(users, d) over the temperature."""
        with torch.inference_mode():
            return (F.normalize(self.user_table.weight, dim=1) / self.spec.temperature).cpu().numpy()

    def item_vectors(self) -> Vectors:
        """(items, d) of unit length."""
        with torch.inference_mode():
            return F.normalize(self.item_table.weight, dim=1).cpu().numpy()


class PairObjective(nn.Module):
    """The tables and a loss over those rows that a batch touches, each looked up once."""

    def __init__(self, spec: PairSpec, loss: LossChoice) -> None:
        super().__init__()
        self.tower = MatrixFactorization(spec)
        self.loss = loss_of(loss)

    def forward(self, users: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """The mean loss of pairs (n,) against the sampled items; without them, against all items."""
        who, which_user = torch.unique(users, return_inverse=True)
        states = F.normalize(self.tower.user_table(who), dim=1) / self.tower.spec.temperature
        own = F.embedding(which_user, states)
        if sampled is None:
            every = torch.arange(self.tower.spec.items, device=targets.device)
            return self.loss.of_table(own, F.normalize(self.tower.item_table(every), dim=1), targets, None)
        what, which_item = torch.unique(torch.cat([targets, sampled.rows]), return_inverse=True)
        table = F.normalize(self.tower.item_table(what), dim=1)
        here = SampledNegatives(
            rows=which_item[len(targets) :], log_expected=sampled.log_expected, catalogue=sampled.catalogue
        )
        return self.loss.of_table(own, table, which_item[: len(targets)], here)
