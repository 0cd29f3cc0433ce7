"""Vectors of items by their content alone: for items without events."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
import torch.nn.functional as F
from safetensors import safe_open

from remora.core.errors import UnreadableInput
from remora.retrieval.content import Content
from remora.retrieval.towers import HINT, ContentEncoder, TowerSpec

PREFIX = "item.content."


@dataclass(frozen=True, eq=False)
class ItemContent:
    """The item tower without identities: what it makes of an item that no example of the training wanted."""

    content: Content
    tower: ContentEncoder

    @classmethod
    def load(cls, folder: Path, spec: TowerSpec) -> ItemContent:
        """From ``towers.safetensors``. UnreadableInput where it does not hold the weights of ``spec``."""
        file = folder / "towers.safetensors"
        with safe_open(file, "pt") as tensors:
            names = [name for name in sorted(tensors.keys()) if name.startswith(PREFIX)]
            weights = {name.removeprefix(PREFIX): tensors.get_tensor(name) for name in names}
        tower = ContentEncoder(spec.item_content, spec.dimension)
        try:
            tower.load_state_dict(weights)
        except RuntimeError as error:
            raise UnreadableInput(str(file), f"it holds no weights of an item's content ({error})", HINT) from error
        return cls(spec.item_content, tower.eval())

    @torch.inference_mode()
    def vectors(self, items: pa.Table) -> npt.NDArray[np.float32]:
        """Vectors (n, d + 1) of n items: a unit vector, and no prior, for nothing is known of how often they are
        wanted. ``items`` has columns by the names of the lake; one that is not there is null."""
        absent = [
            n for n in (*self.content.tags, *self.content.numbers, *self.content.text) if n not in items.column_names
        ]
        for name in absent:
            items = items.append_column(name, pa.nulls(len(items), pa.string()))
        encoded = self.content.encode(items)
        found = self.tower(*(torch.from_numpy(part) for part in (encoded.tags, encoded.words, encoded.numbers)))
        return np.pad(F.normalize(found, dim=1).numpy(), ((0, 0), (0, 1)))
