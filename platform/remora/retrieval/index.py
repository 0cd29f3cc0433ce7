"""The index of item vectors: whichever kind of FAISS, filtered, grown and thinned without a rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from remora.core.errors import DataError
from remora.pipeline.candidates import EMPTY, Retrieved
from remora.retrieval.index_shards import filled
from remora.retrieval.index_types import INDEX_TYPES, index_type_of

EXACT_LIMIT = 50_000
"""Items up to which exact search is quick enough to need no choice."""

Vectors = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass
class ItemIndex:
    """Inner-product search over vectors (items, d); row i is the vocabulary's row i.

    ``effort`` is how hard the kind looks (:mod:`remora.retrieval.index_types`). Removed rows keep their number and are
    never found again.
    """

    faiss_index: Any
    effort: int = 0
    removed: Mask = field(default_factory=lambda: np.empty(0, bool))

    @classmethod
    def build(cls, vectors: Vectors, *, kind: str | None = None, effort: int | None = None) -> ItemIndex:
        """Of that kind; None: exact up to :data:`EXACT_LIMIT` items, else a graph. DataError for NaN or infinity."""
        vectors = checked(vectors)
        kind = kind or ("flat" if len(vectors) <= EXACT_LIMIT else "hnsw")
        chosen = INDEX_TYPES[kind]
        index = filled(chosen.empty(vectors), vectors)
        return cls(index, chosen.efforts[-1] if effort is None else effort)

    def __len__(self) -> int:
        return int(self.faiss_index.ntotal)

    @property
    def dimension(self) -> int:
        """Numbers of a vector."""
        return int(self.faiss_index.d)

    @property
    def kind(self) -> str:
        """Its name in :data:`INDEX_TYPES`."""
        return index_type_of(self.faiss_index)

    def search(self, vector: Vectors, k: int, allowed: Mask | None = None) -> Retrieved:
        """The k items of largest inner product with ``vector`` (d,), best first; fewer only when there are fewer.

        ``allowed`` (items,) is pushed into the search. A search that comes back short looks harder, and at last at each
        item, as it does from the start where few are allowed: the answer is full however selective the filter.
        Rows (k,) int32 and scores (k,) float32.
        """
        mask = self._mask(allowed)
        there = len(self) if mask is None else int(mask.sum())
        k = min(k, there)
        if k <= 0:
            return EMPTY
        # Few allowed items are compared one by one: a graph or a list would mostly meet others.
        if mask is not None and there <= EXACT_LIMIT and self.kind != "flat":
            return self._each(vector, k, mask)
        question = np.asarray(vector, np.float32)[None]
        kind, selector = INDEX_TYPES[self.kind], _selector(mask)
        # A graph or a list may run out of allowed neighbours before it has k: -1 marks the positions that stayed empty.
        for effort in kind.efforts_from(self.effort):
            scores, rows = self.faiss_index.search(question, k, params=kind.params(effort, k, selector))
            if (rows[0] >= 0).all():
                return Retrieved(rows[0].astype(np.int32), scores[0])
        return self._each(vector, k, np.ones(len(self), bool) if mask is None else mask)

    def add(self, vectors: Vectors) -> None:
        """Items (n, d) after the last, found from now on. DataError for NaN or infinity, or another d."""
        self.faiss_index.add(checked(vectors, self.dimension))

    def remove(self, rows: Sequence[int] | npt.NDArray[np.int32]) -> None:
        """The items at ``rows`` (m,) are not found any more; the index keeps their vectors."""
        gone = np.zeros(len(self), bool)
        gone[: len(self.removed)] = self.removed
        gone[np.asarray(rows, np.int64)] = True
        self.removed = gone

    def vector(self, row: int) -> Vectors:
        """The vector (d,) of one item; of a compressing kind, what is left of it."""
        return self.vectors([row])[0]

    def vectors(self, rows: Sequence[int] | npt.NDArray[np.int32] | None = None) -> Vectors:
        """The vectors (n, d) of some items, or of all."""
        index = self.faiss_index
        if isinstance(index, faiss.IndexRefine):
            index = index.refine_index
        if isinstance(index, faiss.IndexIVF):
            # FAISS finds the vector of a row in inverted lists by this map only.
            index.make_direct_map()
        if rows is None:
            return index.reconstruct_n(0, len(self))  # type: ignore[no-any-return]
        return index.reconstruct_batch(np.asarray(rows, np.int64))  # type: ignore[no-any-return]

    def recall(self, questions: Vectors, k: int, exact: Vectors | None = None) -> float:
        """Share of the exact k best items of each question that :meth:`search` finds, on average.

        ``exact``: the vectors (items, d) as they were given, where the kind compresses them.
        """
        every = self.vectors() if exact is None else exact
        k = min(k, len(every))
        best = exact_rows(every, questions, k)
        shares = [np.isin(b, self.search(q, k).rows).mean() for b, q in zip(best, questions, strict=True)]
        return float(np.mean(shares))

    def save(self, path: Path | str) -> None:
        """FAISS's own format; how hard it looks and what was removed go into ``.safetensors`` beside it."""
        faiss.write_index(self.faiss_index, str(path))
        beside = {"effort": np.array([self.effort]), "removed": self.removed.astype(np.uint8)}
        save_file(beside, Path(path).with_suffix(".safetensors"))

    @classmethod
    def load(cls, path: Path | str) -> ItemIndex:
        """What :meth:`save` wrote."""
        beside = load_file(Path(path).with_suffix(".safetensors"))
        return cls(faiss.read_index(str(path)), int(beside["effort"][0]), beside["removed"].astype(bool))

    def _mask(self, allowed: Mask | None) -> Mask | None:
        if not self.removed.any():
            return allowed
        here = np.ones(len(self), bool)
        here[: len(self.removed)] = ~self.removed
        return here if allowed is None else here & allowed

    def _each(self, vector: Vectors, k: int, mask: Mask) -> Retrieved:
        rows = np.flatnonzero(mask)
        scores = self.vectors(rows.astype(np.int32)) @ np.asarray(vector, np.float32)
        best = np.argsort(-scores, kind="stable")[:k]
        return Retrieved(rows[best].astype(np.int32), scores[best])


def checked(vectors: Vectors, dimension: int | None = None) -> Vectors:
    """Contiguous float32; DataError for NaN, infinity or another width."""
    vectors = np.ascontiguousarray(vectors, np.float32)
    bad = ~np.isfinite(vectors).all(axis=1)
    if bad.any():
        raise DataError(
            f"{int(bad.sum()):,} of {len(vectors):,} item vectors hold NaN or infinity, the first is row "
            f"{int(bad.argmax()):,}. The training diverged: lower its learning rate."
        )
    if dimension is not None and vectors.shape[1] != dimension:
        raise DataError(
            f"Vectors of {vectors.shape[1]} numbers do not fit an index of {dimension}: they come from other towers. "
            f"Build the index and the towers together."
        )
    return vectors


def exact_rows(vectors: Vectors, questions: Vectors, k: int) -> npt.NDArray[np.int64]:
    """Rows (n, k) of the k largest inner products with each question (n, d), by looking at every vector."""
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(np.ascontiguousarray(vectors, np.float32))
    return flat.search(np.ascontiguousarray(questions, np.float32), k)[1]  # type: ignore[no-any-return]


def _selector(mask: Mask | None) -> Any:
    return None if mask is None else faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
