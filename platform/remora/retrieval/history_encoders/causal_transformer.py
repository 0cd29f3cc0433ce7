"""A causal transformer over a user's items, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.history_encoders.layered import LayeredEncoder

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class CausalTransformerEncoder(LayeredEncoder):
    """Each position reads itself and what stands before it: SASRec (Kang and McAuley, ICDM 2018), with later layers.

    :class:`~remora.retrieval.history_networks.causal_transformer.CausalTransformer` has the network.
    """

    @classmethod
    def network(cls) -> type[nn.Module]:
        """See :class:`LayeredEncoder`."""
        from remora.retrieval.history_networks.causal_transformer import CausalTransformer

        return CausalTransformer
