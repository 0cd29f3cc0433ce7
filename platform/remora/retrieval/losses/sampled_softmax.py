"""Cross-entropy over sampled items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.losses.loss import Loss

if TYPE_CHECKING:  # settings import the components that they name
    from torch import Tensor

    from remora.retrieval.losses.candidates import Logits, SampledNegatives


class SampledSoftmax(Loss):
    """-log softmax of the target among itself and the sampled items, corrected for how often each is drawn.

    A target that was not sampled counts as certain and stands uncorrected: the correction of Bengio and Senécal (2008)
    for the others makes their sum an unbiased estimate of the catalogue's.
    """

    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""
        return logits.mean(logits.cross_entropy)

    def of_table(self, states: Tensor, table: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """As the parent's; on a CPU without ever holding all scores."""
        if sampled is None or not len(sampled.rows) or states.device.type != "cpu":
            return super().of_table(states, table, targets, sampled)
        import torch.nn.functional as F

        from remora.retrieval.losses.blockwise_softmax import blockwise_softmax

        positive, negatives = F.embedding(targets, table), F.embedding(sampled.rows, table)
        return blockwise_softmax(states, positive, negatives, targets, sampled)
