"""Negatives for a whole batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from remora.retrieval.losses.candidates import SampledNegatives


@dataclass(frozen=True, kw_only=True)
class NegativeSampler:
    """A mixture of even chances and popularity over all items (mixed negative sampling: Yang et al., WWW 2020).

    ``sums`` and ``logarithm`` have shape (items,).
    """

    count: int
    sums: npt.NDArray[np.float64]  # (items,) cumulated chances
    logarithm: npt.NDArray[np.float32]  # (items,) of how often each is expected among ``count``

    @classmethod
    def of(cls, positives: npt.NDArray[np.int32], items: int, count: int, popularity: float) -> NegativeSampler:
        """From positive item rows (events,) of training; ``popularity`` is the share drawn by it, 0 is even chances."""
        share = np.bincount(positives, minlength=items) / max(1, len(positives))
        chance = popularity * share + (1 - popularity) / items
        # An item of chance zero is never drawn, so that its infinite logarithm is never read.
        with np.errstate(divide="ignore"):
            logarithm = np.log(chance * max(1, count)).astype(np.float32)
        return cls(count=count, sums=np.cumsum(chance), logarithm=logarithm)

    def sample(self, generator: np.random.Generator, device: torch.device) -> SampledNegatives:
        """``count`` item rows with replacement, int64, and the log of how often each was expected, float32."""
        rows = np.searchsorted(self.sums, generator.random(self.count) * self.sums[-1], side="right")
        return SampledNegatives(
            rows=torch.as_tensor(rows, device=device),
            log_expected=torch.as_tensor(self.logarithm[rows], device=device),
            catalogue=len(self.sums),
        )
