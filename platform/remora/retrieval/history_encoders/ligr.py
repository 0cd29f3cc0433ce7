"""The causal transformer with gated layers, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.history_encoders.layered import LayeredEncoder

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class LigrEncoder(LayeredEncoder):
    """The causal transformer whose layers weigh what they add: LiGR (Borisyuk et al., KDD 2025).

    :class:`~remora.retrieval.history_networks.ligr.Ligr` has the network.
    """

    @classmethod
    def network(cls) -> type[nn.Module]:
        """See :class:`LayeredEncoder`."""
        from remora.retrieval.history_networks.ligr import Ligr

        return Ligr
