"""The network of the encoder, apart from it: settings import the encoder, and need no PyTorch for that."""

from __future__ import annotations

from torch import Tensor, nn


class GruNetwork(nn.Module):
    """A recurrent layer, and its states in the space of the items."""

    def __init__(self, dimension: int, *, units: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.units = nn.GRU(dimension, units, batch_first=True)
        self.write = nn.Linear(units, dimension)

    def forward(self, items: Tensor) -> Tensor:
        """Items (n, L, d), padding behind, to the states (n, L, d) of all positions."""
        states: Tensor = self.write(self.units(self.dropout(items))[0])
        return states
