"""What a loss compares: states, their targets, and the items drawn beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Items (m,) drawn for all states together; ``log_expected`` (m,) is the log of how often each was expected."""

    rows: Tensor
    log_expected: Tensor
    catalogue: int  # items that they were drawn from


class Loss(Protocol):
    """Shapes: states (n, d), the table of item vectors (items, d), targets (n,). ``needs_draws`` says whether ``drawn``
    is read; without it the whole table is."""

    needs_draws: bool

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None) -> Tensor:
        """The mean over states."""
        ...


def against(states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn) -> tuple[Tensor, Tensor]:
    """Scores of the targets (n,) and of the drawn items (n, m), where a drawn target is out of the running."""
    own = (states * F.embedding(targets, table)).sum(1)
    others = states @ F.embedding(drawn.rows, table).T
    return own, others.masked_fill(drawn.rows[None, :] == targets[:, None], -torch.inf)
