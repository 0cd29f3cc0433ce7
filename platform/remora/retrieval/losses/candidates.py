"""What a loss compares: each state's own score, and those of the items drawn beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

OUT = -1e9
"""The score of what is out of the running. Finite, so that a row of nothing else has a gradient of zero, not NaN."""


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


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Scores of the targets, ``own`` (n,), and of the drawn items, ``others`` (n, m), OUT where out of the running.

    ``log_expected`` (m,) as of :class:`Drawn`; ``own_expected`` (n,) the same of the targets, where they were drawn
    too; ``share`` is the part of the catalogue that was drawn; ``weights`` (n,) say how much each state counts.
    """

    own: Tensor
    others: Tensor
    log_expected: Tensor
    share: float
    own_expected: Tensor | None = None
    weights: Tensor | None = None

    @property
    def corrected_own(self) -> Tensor:
        """The targets' scores (n,) after the log-Q correction."""
        return self.own if self.own_expected is None else self.own - self.own_expected

    @property
    def log_rest(self) -> Tensor:
        """The logarithm (n,) of the drawn items' summed exponentials, each over how often it was expected."""
        return torch.logsumexp(self.others - self.log_expected, dim=1)

    def mean(self, losses: Tensor) -> Tensor:
        """The weighted mean of losses (n,)."""
        if self.weights is None:
            return losses.mean()
        return (losses * self.weights).sum() / self.weights.sum()


class SampledLoss(ABC):
    """A loss that needs no more than what was compared."""

    needs_draws = True

    @abstractmethod
    def of(self, compared: Compared) -> Tensor:
        """The (weighted) mean over states."""

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None) -> Tensor:
        """The mean over states; a drawn item that is the state's own target is out of the running."""
        assert drawn is not None
        others = states @ F.embedding(drawn.rows, table).T
        return self.of(
            Compared(
                own=(states * F.embedding(targets, table)).sum(1),
                others=others.masked_fill(drawn.rows[None, :] == targets[:, None], OUT),
                log_expected=drawn.log_expected,
                share=len(drawn.rows) / max(1, drawn.catalogue - 1),
            )
        )
