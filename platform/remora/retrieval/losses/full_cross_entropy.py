"""Cross-entropy over the whole catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from remora.retrieval.losses.loss import Loss

if TYPE_CHECKING:  # settings import the components that they name
    from torch import Tensor

    from remora.retrieval.losses.candidates import Logits, SampledNegatives


class FullCrossEntropy(Loss):
    """-log softmax of the target among all items: the loss that sampled ones approximate.

    Klenitskiy and Vasilev, "Turning dross into gold loss" (RecSys 2023).
    """

    needs_negatives: ClassVar[bool] = False

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""
        return logits.mean(logits.cross_entropy)

    def of_table(self, states: Tensor, table: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """As the parent's of the whole table; on a CPU without ever holding all scores."""
        import torch.nn.functional as F

        if states.device.type != "cpu":
            return F.cross_entropy(states @ table.T, targets)

        from remora.retrieval.losses.blockwise_cross_entropy import blockwise_cross_entropy

        return blockwise_cross_entropy(states, table, targets)
