"""Encoders that are layers of attention by several heads: their settings, and what these ask of the dimension."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from pydantic import Field

from remora.extensions import ComponentConfig

if TYPE_CHECKING:  # settings import the components that they name
    from torch import nn


class LayeredEncoder(ABC):
    """What they have in common; each brings its network."""

    class Config(ComponentConfig):
        """The settings of such an encoder."""

        layers: int = Field(2, ge=1, le=100, description="one above the other")
        heads: int = Field(2, ge=1, le=100, description="of attention; the dimension is a multiple of them")
        dropout: float = Field(0.2, ge=0, lt=1, description="share of what is read that training hides")

    @classmethod
    @abstractmethod
    def network(cls) -> type[nn.Module]:
        """The class of its network, imported when it is asked for."""

    @classmethod
    def check_dimension(cls, config: Config, dimension: int) -> None:
        """ValueError where the heads cannot divide the vector among them."""
        if dimension % config.heads:
            raise ValueError(f"dimension {dimension} is no multiple of the history encoder's heads, {config.heads}")

    @classmethod
    def states(cls, config: Config, *, dimension: int, length: int) -> nn.Module:
        """See :class:`~remora.retrieval.history_encoders.history_encoder.StateEncoder`."""
        return cls.network()(dimension, layers=config.layers, heads=config.heads, length=length, dropout=config.dropout)
