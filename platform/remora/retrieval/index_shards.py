"""Filling a trained index by Ray tasks, a shard each, when there are many vectors."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
import ray

Vectors = npt.NDArray[np.float32]

SHARD_ROWS = 1_000_000
"""Vectors of a shard; fewer than two shards are added here."""


def filled(index: Any, vectors: Vectors, rows: int = SHARD_ROWS) -> Any:
    """The trained, empty ``index`` with all ``vectors`` (n, d), row i with number i.

    Every task takes the trained index and its own vectors, and sends back codes; those are appended in order, so the
    result is that of adding all here. A graph cannot be put together from parts: it is filled here, as is everything
    where no cluster is joined.
    """
    if len(vectors) < 2 * rows or isinstance(index, faiss.IndexHNSW) or not ray.is_initialized():
        index.add(vectors)
        return index
    written = faiss.serialize_index(index)
    index, empty = faiss.deserialize_index(written), ray.put(written)  # of the very classes that the tasks send back
    parts = [_shard.remote(empty, vectors[at : at + rows]) for at in range(0, len(vectors), rows)]
    for part in parts:  # in order: rows are numbered as they come
        _append(index, faiss.deserialize_index(np.array(ray.get(part))))
    return index


@ray.remote
def _shard(empty: npt.NDArray[np.uint8], vectors: Vectors) -> npt.NDArray[np.uint8]:
    index = faiss.deserialize_index(np.array(empty))
    index.add(np.ascontiguousarray(vectors))
    return faiss.serialize_index(index)  # type: ignore[no-any-return]


def _append(index: Any, part: Any) -> None:
    if isinstance(index, faiss.IndexRefine):
        _append(faiss.downcast_index(index.base_index), faiss.downcast_index(part.base_index))
        _append(faiss.downcast_index(index.refine_index), faiss.downcast_index(part.refine_index))
        index.ntotal = index.base_index.ntotal
    elif isinstance(index, faiss.IndexIVF):
        index.merge_from(part, index.ntotal)
    else:
        index.merge_from(part)
