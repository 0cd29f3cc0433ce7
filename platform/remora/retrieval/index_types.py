"""Types of index: how each is made empty, and how hard it may be told to look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

TRAINING_ROWS = 100_000
"""Vectors that a kind with centroids is trained on; more move them little."""


@dataclass(frozen=True, kw_only=True)
class IndexType:
    """``empty`` makes a trained index without items; ``params`` (effort, k, selector) are those of one search;
    ``efforts`` ascend, each twice as slow as the one before or less."""

    empty: Callable[[Vectors], Any]
    params: Callable[[int, int, Any], Any]
    efforts: tuple[int, ...]

    def efforts_from(self, effort: int) -> Iterator[int]:
        """``effort``, and then at least four times as much each time, up to the greatest there is."""
        yield effort
        while rest := [more for more in self.efforts if more > effort]:
            effort = next((more for more in rest if more >= 4 * effort), rest[-1])
            yield effort


def _made(index: Any, vectors: Vectors) -> Any:
    if not index.is_trained:
        draw = np.random.default_rng(7)
        index.train(vectors if len(vectors) <= TRAINING_ROWS else vectors[draw.choice(len(vectors), TRAINING_ROWS)])
    return index


def _lists(vectors: Vectors) -> int:
    """About as many lists as the root of the items, times two; at least 39 training rows each, as FAISS asks."""
    return max(1, min(int(2 * len(vectors) ** 0.5), min(len(vectors), TRAINING_ROWS) // 39))


def _flat(vectors: Vectors) -> Any:
    return faiss.IndexFlatIP(vectors.shape[1])


def _scalar(vectors: Vectors) -> Any:
    kind = faiss.ScalarQuantizer.QT_8bit
    return _made(faiss.IndexScalarQuantizer(vectors.shape[1], kind, faiss.METRIC_INNER_PRODUCT), vectors)


def _ivf(vectors: Vectors) -> Any:
    width = vectors.shape[1]
    coarse = faiss.IndexFlatIP(width)
    index = faiss.IndexIVFFlat(coarse, width, _lists(vectors), faiss.METRIC_INNER_PRODUCT)
    coarse.this.disown()
    index.own_fields = True
    return _made(index, vectors)


def _ivf_pq(vectors: Vectors) -> Any:
    """Codes of two bits a number find, the vectors themselves put in order.

    ``np``: no polysemous training. It would order the codes for a filter of Hamming distances that no search here uses,
    and take most of the time; what is found is the same.
    """
    width = vectors.shape[1]
    parts = max(n for n in range(1, max(1, width // 4) + 1) if width % n == 0)
    base = faiss.index_factory(width, f"IVF{_lists(vectors)},PQ{parts}x8np", faiss.METRIC_INNER_PRODUCT)
    base.pq.cp.max_points_per_centroid, base.pq.cp.niter = 40, 10  # more hardly matters
    refined = faiss.IndexRefineFlat(base)
    base.this.disown()
    refined.own_fields = True
    return _made(refined, vectors)


def _hnsw(vectors: Vectors) -> Any:
    index = faiss.IndexHNSWFlat(vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 100
    return index


def _plain(effort: int, k: int, selector: Any) -> Any:
    return None if selector is None else faiss.SearchParameters(sel=selector)


def _probes(effort: int, k: int, selector: Any) -> Any:
    return faiss.SearchParametersIVF(nprobe=effort, sel=selector)


def _refined(effort: int, k: int, selector: Any) -> Any:
    probes = faiss.SearchParametersIVF(nprobe=effort, sel=selector)
    return faiss.IndexRefineSearchParameters(k_factor=3, base_index_params=probes)


def _graph(effort: int, k: int, selector: Any) -> Any:
    # A search for k items must keep at least k alive on its way through the graph.
    return faiss.SearchParametersHNSW(efSearch=max(effort, k), sel=selector)


INDEX_TYPES: dict[str, IndexType] = {
    "flat": IndexType(empty=_flat, params=_plain, efforts=(0,)),
    "scalar": IndexType(empty=_scalar, params=_plain, efforts=(0,)),
    "ivf": IndexType(empty=_ivf, params=_probes, efforts=(1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 512)),
    "ivf_pq": IndexType(empty=_ivf_pq, params=_refined, efforts=(1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 512)),
    "hnsw": IndexType(empty=_hnsw, params=_graph, efforts=(64, 128, 256, 512, 768, 1024, 1536, 2048)),
}


def index_type_of(index: Any) -> str:
    """The name of an index's type."""
    for name, kind in (
        ("ivf_pq", faiss.IndexRefine),
        ("ivf", faiss.IndexIVF),
        ("hnsw", faiss.IndexHNSW),
        ("scalar", faiss.IndexScalarQuantizer),
    ):
        if isinstance(index, kind):
            return name
    return "flat"
