"""A history encoder: a recurrent network over the items in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig

if TYPE_CHECKING:
    from torch import nn


class Gru:
    """Gated recurrent units, in the manner of GRU4Rec.

    Hidasi, Karatzoglou, Baltrunas and Tikk, "Session-based recommendations with recurrent neural networks" (ICLR 2016).
    """

    class Config(ComponentConfig):
        """The settings of the encoder."""

        units: int = Field(64, ge=1, le=4_096, description="of the recurrent layer")
        dropout: float = Field(0.1, ge=0, lt=1, description="share of what it reads that training hides")

    @classmethod
    def states(cls, config: Config, *, dimension: int, length: int) -> nn.Module:
        """Item vectors (n, L, d) to states (n, L, d)."""
        from example_plugin.gru_network import GruNetwork

        return GruNetwork(dimension, units=config.units, dropout=config.dropout)
