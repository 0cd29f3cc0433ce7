"""Hierarchical sequential transduction units, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.history_encoders.layered import LayeredEncoder, LayersConfig

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class HstuEncoder(LayeredEncoder):
    """Attention without a softmax, gated: HSTU (Zhai et al., ICML 2024).

    :class:`~remora.retrieval.history_networks.hstu.Hstu` has the network.
    """

    class Config(LayersConfig):
        """The settings of the encoder."""

    @classmethod
    def states(cls, config: LayersConfig, *, dimension: int, length: int) -> nn.Module:
        """See :class:`~remora.retrieval.history_encoders.history_encoder.StateEncoder`."""
        from remora.retrieval.history_networks.hstu import Hstu

        return Hstu(dimension, layers=config.layers, heads=config.heads, length=length, dropout=config.dropout)
