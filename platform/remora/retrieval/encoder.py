"""A user as a vector, for serving and for replay."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from safetensors.torch import load_file

from remora.core.errors import UnreadableInput
from remora.core.tables import PROFILE
from remora.core.vocabulary import ItemCodes
from remora.pipeline.cache import Cache
from remora.pipeline.live_rows import vectors_at
from remora.pipeline.query import Query
from remora.retrieval.towers import HINT, TowerSpec, UserTower
from remora.settings.components import HistoryEncoderChoice

SPEC = "towers.json"

MOST_VECTORS = 20_000
"""Kept by an encoder; one of 64 numbers takes a kilobyte with what it is kept under."""


class UserEncoder:
    """The user tower over the index's item vectors (items, d + 1); safe to pickle, runs on one thread."""

    def __init__(self, spec: TowerSpec, tower: UserTower, item_vectors: torch.Tensor) -> None:
        self.spec = spec
        self.tower = tower.eval()
        self.item_vectors = item_vectors
        self.live_vectors: torch.Tensor | None = None
        self.cache: Cache[npt.NDArray[np.float32]] = Cache("vectors", MOST_VECTORS)
        self._last: tuple[Query, npt.NDArray[np.float32]] | None = None

    @classmethod
    def load(cls, folder: Path | str, encoder: HistoryEncoderChoice) -> UserEncoder:
        """From ``towers.json``, ``towers.safetensors`` and ``item_vectors.safetensors``; the settings choose the
        ``encoder`` of histories. DataError where the towers were trained with another one."""
        file, weights = Path(folder) / SPEC, Path(folder) / "towers.safetensors"
        spec = TowerSpec.parse(file.read_bytes(), str(file), encoder)
        tensors = load_file(weights)
        try:
            tower = UserTower(spec)
            tower.load_state_dict({k.removeprefix("user."): v for k, v in tensors.items() if k.startswith("user.")})
        except RuntimeError as error:
            raise UnreadableInput(str(weights), f"it holds no weights of the towers ({error})", HINT) from error
        return cls(spec, tower, load_file(Path(folder) / "item_vectors.safetensors")["vectors"])

    def with_live_items(self, vectors: npt.NDArray[np.float32]) -> UserEncoder:
        """The same encoder, with vectors (m, d + 1) for the rows behind its own."""
        extended = copy(self)
        extended.live_vectors, extended._last = torch.from_numpy(vectors), None
        return extended

    def encode(self, query: Query) -> npt.NDArray[np.float32]:
        """The vector (d + 1,) of a hydrated query's user, read-only; one without history is the profile alone.

        Several sources ask for it in a row, so the last one is kept; another thread can only replace it whole. One of
        the same history and profile as before is not computed again.
        """
        last = self._last
        if last is not None and last[0] is query:
            return last[1]
        profile = {name: query.user.get(PROFILE + name) for name in self._columns}
        recent = query.history[-self.spec.history_length :]
        read = (recent.tobytes(), *map(_hashable, profile.values()))
        # The content of a live item may change, and its row may be another's tomorrow.
        keeps = self.live_vectors is None or not (recent >= len(self.item_vectors)).any()
        vector = self.cache.get(read) if keeps else None
        if vector is None:
            columns = {name: _as_column([value]) for name, value in profile.items()}
            vector = self.encode_many([query.history], pa.table(columns))[0]
            # The cache hands the same array to every thread.
            vector.flags.writeable = False
            if keeps:
                self.cache.put(read, vector)
        self._last = (query, vector)
        return vector

    def scores(self, vector: npt.NDArray[np.float32], rows: ItemCodes) -> npt.NDArray[np.float32]:
        """What the index would give some items (n,) for a user's vector (d + 1,), exactly."""
        found: npt.NDArray[np.float32]
        if self.live_vectors is None:
            found = self.item_vectors.numpy()[rows] @ vector
        else:
            found = vectors_at(self.item_vectors, self.live_vectors, torch.from_numpy(rows)).numpy() @ vector
        return found

    @torch.inference_mode()
    def encode_many(self, histories: Sequence[ItemCodes], profiles: pa.Table) -> npt.NDArray[np.float32]:
        """Vectors (n, d + 1) of n users: their positive items, most recent last, and their profile columns."""
        length = self.spec.history_length
        history = np.full((len(histories), length), -1, np.int64)
        for n, rows in enumerate(histories):
            recent = rows[-length:]
            history[n, length - len(recent) :] = recent
        profile = encode_profiles(self.spec, profiles if profiles.num_columns else _nothing(len(histories)))
        present = torch.from_numpy(history >= 0)
        vectors = vectors_at(self.item_vectors, self.live_vectors, torch.from_numpy(history).clamp(min=0))
        read = vectors[..., :-1]  # without the prior
        return self.tower(read, present, *profile).numpy()

    @property
    def _columns(self) -> tuple[str, ...]:
        content = self.spec.user_content
        return (*content.tags, *content.numbers)


def encode_profiles(spec: TowerSpec, profiles: pa.Table) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tags (n, width) and words (n, W) int64, numbers (n, k) float32 of n users, as the user tower takes them."""
    encoded = spec.user_content.encode(profiles)
    return torch.from_numpy(encoded.tags), torch.from_numpy(encoded.words), torch.from_numpy(encoded.numbers)


def _hashable(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, list):
        return tuple(value)
    return None if value != value else value  # no NaN is equal to another


def _as_column(values: list[Any]) -> pa.Array:
    """An Arrow array of one query's value, which may be a NumPy scalar, a list, or missing."""
    plain = [v.item() if isinstance(v, np.generic) else v.tolist() if isinstance(v, np.ndarray) else v for v in values]
    if all(v is None or (isinstance(v, float) and np.isnan(v)) for v in plain):
        return pa.nulls(len(plain), pa.float64())
    return pa.array(plain)


def _nothing(count: int) -> pa.Table:
    """A table of that many rows for towers that read no profile."""
    return pa.table({"nothing": pa.nulls(count)})
