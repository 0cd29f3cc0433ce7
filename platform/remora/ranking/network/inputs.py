"""Features as a network takes them: numbers on one scale, categories as embeddings, missing as a sign of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from remora.ranking.columns import RankerColumns

CLIP = 5.0


class Scale(BaseModel):
    """Of each number: centre and spread of sign(x) log(1 + |x|), which tames counts and times."""

    model_config = ConfigDict(frozen=True)

    centre: tuple[float, ...]
    spread: tuple[float, ...]

    @classmethod
    def fit(cls, features: npt.NDArray[np.float32]) -> Scale:
        """From (n, F); a column without any number is left where it is."""
        tamed = _tamed(torch.from_numpy(features)).double().numpy()
        known = np.isfinite(tamed)
        counts = np.maximum(known.sum(axis=0), 1)
        centre = np.where(known, tamed, 0).sum(axis=0) / counts
        spread = np.sqrt((np.where(known, tamed - centre, 0) ** 2).sum(axis=0) / counts)
        # A column of one value has no spread: divided by 1 it is zero everywhere.
        return cls(centre=tuple(centre.tolist()), spread=tuple(np.where(spread > 1e-6, spread, 1.0).tolist()))


class FeatureInput(nn.Module):
    """(n, F) to (n, width). Categories get an embedding, numbers their scaled value and a sign where it is missing."""

    centre: Tensor
    spread: Tensor

    def __init__(self, columns: RankerColumns, scale: Scale, width: int) -> None:
        super().__init__()
        kinds = [column.categories for column in columns.columns]
        self.numbers = [index for index, categories in enumerate(kinds) if categories is None]
        self.tags = [index for index, categories in enumerate(kinds) if categories is not None]
        at: Any = self.numbers
        self.register_buffer("centre", torch.tensor(scale.centre, dtype=torch.float32)[at], persistent=False)
        self.register_buffer("spread", torch.tensor(scale.spread, dtype=torch.float32)[at], persistent=False)
        sizes = [len(kinds[index] or ()) for index in self.tags]
        depths = [min(16, 2 + size // 4) for size in sizes]
        self.embeddings = nn.ModuleList(nn.Embedding(s + 1, d) for s, d in zip(sizes, depths, strict=True))
        self.project = nn.Linear(2 * len(self.numbers) + sum(depths), width)

    def forward(self, features: Tensor) -> Tensor:
        """(n, F) float32 to (n, width); NaN and infinity are missing, a category is its number from 0."""
        tamed = _tamed(features[:, self.numbers])
        known = torch.isfinite(tamed)
        scaled = torch.where(known, (tamed - self.centre) / self.spread, 0.0).clamp(-CLIP, CLIP)
        parts = [scaled, (~known).to(scaled.dtype)]
        for index, embedding in zip(self.tags, self.embeddings, strict=True):
            tag = features[:, index]
            parts.append(embedding(torch.where(torch.isfinite(tag), tag + 1, 0.0).long()))  # 0: missing or unseen
        return self.project(torch.cat(parts, dim=1))  # type: ignore[no-any-return]


def _tamed(values: Tensor) -> Tensor:
    return torch.sign(values) * torch.log1p(values.abs())
