"""The index of item vectors: exact while the catalogue is small, a graph when it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from remora.pipeline.candidates import NOTHING, Found

EXACT_LIMIT = 50_000
"""Items up to which exact search is quick enough."""

Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ItemIndex:
    """Inner-product search over vectors (items, d); row i is the vocabulary's row i."""

    faiss_index: Any

    @classmethod
    def build(
        cls, vectors: Vectors, *, exact_limit: int = EXACT_LIMIT, links: int = 32, effort: int = 200
    ) -> ItemIndex:
        """Exact up to ``exact_limit`` items, else HNSW (Malkov and Yashunin, 2018) with that many links a node."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        index: Any
        if len(vectors) <= exact_limit:
            index = faiss.IndexFlatIP(vectors.shape[1])
        else:
            index = faiss.IndexHNSWFlat(vectors.shape[1], links, faiss.METRIC_INNER_PRODUCT)
            index.hnsw.efConstruction = effort
            index.hnsw.efSearch = effort
        index.add(vectors)
        return cls(index)

    def __len__(self) -> int:
        return self.faiss_index.ntotal

    @property
    def kind(self) -> str:
        """`flat` or `hnsw`."""
        return "hnsw" if isinstance(self.faiss_index, faiss.IndexHNSW) else "flat"

    def search(self, vector: Vectors, k: int) -> Found:
        """The k items of largest inner product with ``vector`` (d,), best first; fewer when there are fewer."""
        k = min(k, len(self))
        if k <= 0:
            return NOTHING
        scores, rows = self.faiss_index.search(np.asarray(vector, np.float32)[None], k, params=self._params(k))
        found = rows[0] >= 0
        return Found(rows[0][found].astype(np.int32), scores[0][found])

    def vector(self, row: int) -> Vectors:
        """The vector (d,) of one item."""
        return self.faiss_index.reconstruct(int(row))

    def vectors(self, rows: Sequence[int] | npt.NDArray[np.int32] | None = None) -> Vectors:
        """The vectors (n, d) of some items, or of all."""
        if rows is None:
            return self.faiss_index.reconstruct_n(0, len(self))
        return self.faiss_index.reconstruct_batch(np.asarray(rows, np.int64))

    def recall(self, questions: Vectors, k: int) -> float:
        """Share of the exact k best items of each question that :meth:`search` finds, on average."""
        every = self.vectors()
        shares = []
        for question in questions:
            exact = np.argpartition(-(every @ question), min(k, len(every)) - 1)[:k]
            shares.append(np.isin(exact, self.search(question, k).rows).mean())
        return float(np.mean(shares))

    def save(self, path: Path | str) -> None:
        """Write FAISS's own format."""
        faiss.write_index(self.faiss_index, str(path))

    @classmethod
    def load(cls, path: Path | str) -> ItemIndex:
        """What :meth:`save` wrote."""
        return cls(faiss.read_index(str(path)))

    def _params(self, k: int) -> Any:
        # A search for k items must keep at least k alive on its way through the graph.
        if self.kind == "flat":
            return None
        return faiss.SearchParametersHNSW(efSearch=max(200, 2 * k))  # type: ignore[attr-defined]
