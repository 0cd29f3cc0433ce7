"""Products of features: DCN-v2."""

from __future__ import annotations

from torch import Tensor, nn


class Crosses(nn.Module):
    """(n, width) to (n, width): x0 * (W x + b) + x, layer after layer.

    R. Wang et al., DCN V2: improved deep and cross network, WWW 2021, equation 1.
    """

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))

    def forward(self, first: Tensor) -> Tensor:
        """(n, width) to (n, width); without layers the identity."""
        found = first
        for layer in self.layers:
            found = first * layer(found) + found
        return found
