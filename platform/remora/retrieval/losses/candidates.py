"""What a loss compares: each state's own score, and those of the items drawn beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # settings import the components that they name
    from torch import Tensor

OUT = -1e9
"""The score of what is out of the running. Finite, so that a row of nothing else has a gradient of zero, not NaN."""


@dataclass(frozen=True, kw_only=True)
class SampledNegatives:
    """Items (m,) drawn for all states together; ``log_expected`` (m,) is the log of how often each was expected."""

    rows: Tensor
    log_expected: Tensor
    catalogue: int  # items that they were drawn from

    @classmethod
    def whole(cls, table: Tensor) -> SampledNegatives:
        """Every row of a table (items, d), once."""
        import torch

        rows = torch.arange(len(table), device=table.device)
        return cls(rows=rows, log_expected=table.new_zeros(len(table)), catalogue=len(table))


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
        return (self.negatives - self.log_expected).logsumexp(dim=1)

    @property
    def cross_entropy(self) -> Tensor:
        """-log softmax (n,) of each target among itself and the sampled items."""
        positive = self.corrected_positive
        return positive.logaddexp(self.log_rest) - positive

    def mean(self, losses: Tensor) -> Tensor:
        """The weighted mean of losses (n,)."""
        if self.weights is None:
            return losses.mean()
        return (losses * self.weights).sum() / self.weights.sum()
