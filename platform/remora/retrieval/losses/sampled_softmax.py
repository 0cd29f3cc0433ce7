"""Cross-entropy over drawn items."""

from __future__ import annotations

import torch
from torch import Tensor

from remora.retrieval.losses.candidates import Drawn, against


class SampledSoftmax:
    """-log softmax of the target among itself and the drawn items, corrected for how often each is drawn.

    The target counts as certain and stands uncorrected: the correction of Bengio and Senécal (2008) for the others
    makes their sum an unbiased estimate of the catalogue's.
    """

    needs_draws = True

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None) -> Tensor:
        """The mean over states."""
        assert drawn is not None
        own, others = against(states, table, targets, drawn)
        rest = torch.logsumexp(others - drawn.log_expected, dim=1)
        return (torch.logaddexp(own, rest) - own).mean()
