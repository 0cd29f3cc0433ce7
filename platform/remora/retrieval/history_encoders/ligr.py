"""The causal transformer with gated layers, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.retrieval.history_encoders.layered import LayeredEncoder, LayersConfig

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class LigrEncoder(LayeredEncoder):
    """The causal transformer whose layers weigh what they add: LiGR (Borisyuk et al., KDD 2025).

    :class:`~remora.retrieval.history_networks.ligr.Ligr` has the network.
    """

    class Config(LayersConfig):
        """The settings of the encoder."""

    @classmethod
    def states(cls, config: LayersConfig, *, dimension: int, length: int) -> nn.Module:
        """See :class:`~remora.retrieval.history_encoders.history_encoder.StateEncoder`."""
        from remora.retrieval.history_networks.ligr import Ligr

        return Ligr(dimension, layers=config.layers, heads=config.heads, length=length, dropout=config.dropout)
