"""The index finds what exact search finds, and says how often it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.retrieval.index import ItemIndex


def unit(n: int, d: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 1000))
def test_flat_search_is_exact(n: int, k: int, seed: int) -> None:
    vectors, question = unit(n, 6, seed), unit(1, 6, seed + 1)[0]
    found = ItemIndex.build(vectors).search(question, k)
    exact = vectors @ question
    assert len(found.rows) == min(n, k)
    np.testing.assert_allclose(found.scores, np.sort(exact)[::-1][:k], atol=1e-5)


def test_a_large_catalogue_gets_a_graph_that_finds_nearly_all() -> None:
    vectors = unit(3_000, 16, 0)
    index = ItemIndex.build(vectors, exact_limit=1_000)
    assert index.kind == "hnsw"
    assert index.recall(unit(50, 16, 1), 100) > 0.97


def test_an_index_comes_back_from_its_file(tmp_path: Path) -> None:
    vectors = unit(100, 8, 2)
    for limit in (1_000, 10):
        index = ItemIndex.build(vectors, exact_limit=limit)
        index.save(tmp_path / "index.faiss")
        again = ItemIndex.load(tmp_path / "index.faiss")
        assert again.kind == index.kind
        assert again.search(vectors[5], 9).rows.tolist() == index.search(vectors[5], 9).rows.tolist()
        np.testing.assert_array_equal(again.vector(7), vectors[7])
        np.testing.assert_array_equal(again.vectors(), vectors)
