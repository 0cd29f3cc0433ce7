"""A causal transformer over a user's items, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.history_encoders.layered import LayeredEncoder, LayersConfig

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class CausalTransformerEncoder(LayeredEncoder):
    """Each position reads itself and what stands before it: SASRec (Kang and McAuley, ICDM 2018), with later layers.

    :class:`~remora.retrieval.history_networks.causal_transformer.CausalTransformer` has the network.
    """

    class Config(LayersConfig):
        """The settings of the encoder."""

    @classmethod
    def states(cls, config: LayersConfig, *, dimension: int, length: int) -> nn.Module:
        """See :class:`~remora.retrieval.history_encoders.history_encoder.StateEncoder`."""
        from remora.retrieval.history_networks.causal_transformer import CausalTransformer

        return CausalTransformer(
            dimension, layers=config.layers, heads=config.heads, length=length, dropout=config.dropout
        )
