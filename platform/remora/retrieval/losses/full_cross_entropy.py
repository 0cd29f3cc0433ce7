"""Cross-entropy over the whole catalogue."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from remora.retrieval.losses.candidates import Drawn


class FullCrossEntropy:
    """-log softmax of the target among all items. The loss that sampled ones approximate; n × items scores in memory.

    Klenitskiy and Vasilev, "Turning dross into gold loss" (RecSys 2023).
    """

    needs_draws = False

    def __call__(self, states: Tensor, table: Tensor, targets: Tensor, drawn: Drawn | None = None) -> Tensor:
        """The mean over states."""
        return F.cross_entropy(states @ table.T, targets)
