"""The mean of what a user wanted, as a component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class MeanEncoder:
    """The mean of all items so far, later ones weighing more; how much more is learned.

    :class:`~remora.retrieval.history_networks.mean_pooling.MeanPooling` has the network.
    """

    class Config(ComponentConfig):
        """The settings of the encoder."""

        dropout: float = Field(0.2, ge=0, lt=1, description="share of what is read that training hides")

    @classmethod
    def states(cls, config: Config, *, dimension: int, length: int) -> nn.Module:
        """See :class:`~remora.retrieval.history_encoders.history_encoder.StateEncoder`."""
        from remora.retrieval.history_networks.mean_pooling import MeanPooling

        return MeanPooling(dimension, length=length, dropout=config.dropout)
