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
class SampledNegatives:
    """Items (m,) drawn for all states together; ``log_expected`` (m,) is the log of how often each was expected."""

    rows: Tensor
    log_expected: Tensor
    catalogue: int  # items that they were drawn from


class Loss(Protocol):
    """Shapes: states (n, d), the table of item vectors (items, d), targets (n,). ``needs_negatives`` says whether
    ``sampled`` is read; without it the whole table is."""

    needs_negatives: bool

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """The mean over the n states, a scalar tensor."""
        ...


@dataclass(frozen=True, kw_only=True)
class Logits:
    """Scores of the targets, ``positive`` (n,), and of the sampled items, ``negatives`` (n, m), OUT where masked.

    ``log_expected`` (m,) as of :class:`SampledNegatives`; ``positive_expected`` (n,) the same of the targets, where
    they were drawn too; ``share`` is the part of the catalogue that was drawn; ``weights`` (n,) say how much each state
    counts.
    """

    positive: Tensor
    negatives: Tensor
    log_expected: Tensor
    share: float
    positive_expected: Tensor | None = None
    weights: Tensor | None = None

    @property
    def corrected_positive(self) -> Tensor:
        """The targets' scores (n,) after the log-Q correction."""
        return self.positive if self.positive_expected is None else self.positive - self.positive_expected

    @property
    def log_rest(self) -> Tensor:
        """The logarithm (n,) of the sampled items' summed exponentials, each over how often it was expected."""
        return torch.logsumexp(self.negatives - self.log_expected, dim=1)

    def mean(self, losses: Tensor) -> Tensor:
        """The weighted mean of losses (n,)."""
        if self.weights is None:
            return losses.mean()
        return (losses * self.weights).sum() / self.weights.sum()


class SampledLoss(ABC):
    """A loss that needs no more than logits."""

    needs_negatives = True

    @abstractmethod
    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """The mean over states; a sampled item that is the state's own target is out of the running."""
        assert sampled is not None
        negatives = states @ F.embedding(sampled.rows, table).T
        return self.of(
            Logits(
                positive=(states * F.embedding(targets, table)).sum(1),
                # Drawn by chance, the target itself would be pushed away and drawn near in one step.
                negatives=negatives.masked_fill(sampled.rows[None, :] == targets[:, None], OUT),
                log_expected=sampled.log_expected,
                share=len(sampled.rows) / max(1, sampled.catalogue - 1),
            )
        )
