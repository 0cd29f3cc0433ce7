"""Cross-entropy over drawn items."""

from __future__ import annotations

import torch
from torch import Tensor

from remora.retrieval.losses.candidates import Compared, SampledLoss


class SampledSoftmax(SampledLoss):
    """-log softmax of the target among itself and the drawn items, corrected for how often each is drawn.

    A target that was not drawn counts as certain and stands uncorrected: the correction of Bengio and Senécal (2008)
    for the others makes their sum an unbiased estimate of the catalogue's.
    """

    def of(self, compared: Compared) -> Tensor:
        """The (weighted) mean over states."""
        own = compared.corrected_own
        return compared.mean(torch.logaddexp(own, compared.log_rest) - own)
