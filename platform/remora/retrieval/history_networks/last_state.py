"""The last state of an encoder that gives one for every place."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LastState(nn.Module):
    """One vector (n, d) of histories (n, L, d), most recent last, where ``present`` (n, L); zero of an empty one.

    Encoders count positions from a history's first item and hide what stands behind by causality; here the padding
    stands before, so the items are moved to the front first.
    """

    def __init__(self, encoder: nn.Module, *, dimension: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.scale = dimension**0.5  # unit vectors have small numbers; encoders expect a deviation of about one

    def forward(self, history: Tensor, present: Tensor, mean: Tensor, last: Tensor) -> Tensor:
        """Histories (n, L, d) and the mask ``present`` (n, L) to (n, d); ``mean`` and ``last`` (n, d) are not read."""
        n, length, width = history.shape
        size = present.sum(1)
        positions = torch.arange(length, device=history.device)
        front = (positions + (length - size)[:, None]).clamp(max=length - 1)
        moved = history.gather(1, front[:, :, None].expand(n, length, width)) * self.scale
        states = self.encoder(moved)
        return states[torch.arange(n, device=history.device), (size - 1).clamp(min=0)] * (size > 0)[:, None]  # type: ignore[no-any-return]
