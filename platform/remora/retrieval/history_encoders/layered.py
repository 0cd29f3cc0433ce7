"""Encoders that are layers of attention by several heads: their settings, and what these ask of the dimension."""

from __future__ import annotations

from pydantic import Field

from remora.extensions import ComponentConfig


class LayersConfig(ComponentConfig):
    """The settings of such an encoder."""

    layers: int = Field(2, ge=1, le=100, description="one above the other")
    heads: int = Field(2, ge=1, le=100, description="of attention; the dimension is a multiple of them")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of what is read that training hides")


class LayeredEncoder:
    """What they have in common."""

    @classmethod
    def check_dimension(cls, config: LayersConfig, dimension: int) -> None:
        """ValueError where the heads cannot divide the vector among them."""
        if dimension % config.heads:
            raise ValueError(f"dimension {dimension} is no multiple of the history encoder's heads, {config.heads}")
