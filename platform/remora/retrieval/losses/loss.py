"""What makes a class a loss: it compares each state's own item with others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from remora.retrieval.losses.candidates import OUT, Logits, SampledNegatives
from remora.settings.components import LossChoice

if TYPE_CHECKING:  # settings import the components that they name
    from torch import Tensor


class Loss(ABC):
    """A component of the kind ``loss``: a subclass has ``of`` and, where it has settings, ``from_config``.

    ``needs_negatives`` says whether it compares with items that are drawn; without, it is given the whole catalogue, by
    :meth:`of` where item vectors are computed for the step (the two towers), else by :meth:`of_table`.
    """

    needs_negatives: ClassVar[bool] = True

    @classmethod
    def from_config(cls, config: Any) -> Self:
        """The loss of these settings, which are the component's own."""
        return cls()

    @abstractmethod
    def of(self, logits: Logits) -> Tensor:
        """The (weighted) mean over the n states, a scalar tensor."""

    def of_table(self, states: Tensor, table: Tensor, targets: Tensor, sampled: SampledNegatives | None) -> Tensor:
        """The mean over states (n, d) whose ``targets`` (n,) are rows of a ``table`` (items, d), a scalar tensor.

        Without ``sampled`` items the whole table is compared with. An item that is the state's own target is out of
        the running. A loss may do the same in another way, for speed.
        """
        import torch.nn.functional as F

        others = SampledNegatives.whole(table) if sampled is None else sampled
        negatives = states @ F.embedding(others.rows, table).T
        return self.of(
            Logits(
                positive=(states * F.embedding(targets, table)).sum(1),
                # Drawn by chance, the target itself would be pushed away and drawn near in one step.
                negatives=negatives.masked_fill(others.rows[None, :] == targets[:, None], OUT),
                log_expected=others.log_expected,
                share=len(others.rows) / max(1, others.catalogue - 1),
            )
        )


def loss_of(chosen: LossChoice) -> Loss:
    """The loss that settings choose."""
    loss: Loss = chosen.component.cls.from_config(chosen.config)
    return loss
