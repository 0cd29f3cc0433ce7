"""Every kind of index keeps its promises, and the choice between them is made by measurement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.core.errors import DataError
from remora.retrieval import index as index_module
from remora.retrieval import index_selection
from remora.retrieval.index import ItemIndex, exact_rows
from remora.retrieval.index_selection import Budget, choose
from remora.retrieval.index_shards import filled
from remora.retrieval.index_types import INDEX_TYPES


def unit(n: int, d: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return unit(3_000, 16, 0)


@pytest.fixture(scope="module", params=INDEX_TYPES)
def built(request: pytest.FixtureRequest, vectors: np.ndarray) -> ItemIndex:
    return ItemIndex.build(vectors, kind=request.param)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 1000))
def test_flat_search_is_exact(n: int, k: int, seed: int) -> None:
    vectors, question = unit(n, 6, seed), unit(1, 6, seed + 1)[0]
    found = ItemIndex.build(vectors).search(question, k)
    exact = vectors @ question
    assert len(found.rows) == min(n, k)
    np.testing.assert_allclose(found.scores, np.sort(exact)[::-1][:k], atol=1e-5)


def test_every_kind_is_full_sorted_and_finds_nearly_all(built: ItemIndex, vectors: np.ndarray) -> None:
    for question in unit(5, 16, 1):
        found = built.search(question, 100)
        assert len(set(found.rows.tolist())) == 100
        assert (np.diff(found.scores) <= 0).all()
    assert built.recall(unit(50, 16, 1), 100, exact=vectors) > 0.95


def test_every_kind_comes_back_from_its_file(built: ItemIndex, vectors: np.ndarray, tmp_path: Path) -> None:
    built.save(tmp_path / "index.faiss")
    again = ItemIndex.load(tmp_path / "index.faiss")
    assert (again.kind, again.effort, len(again)) == (built.kind, built.effort, len(built))
    assert again.search(vectors[5], 9).rows.tolist() == built.search(vectors[5], 9).rows.tolist()
    np.testing.assert_allclose(again.vectors(), vectors, atol=0.02 if built.kind == "scalar" else 1e-6)
    np.testing.assert_array_equal(again.vector(7), again.vectors()[7])


@settings(max_examples=20, deadline=None)
@given(share=st.sampled_from([0.0, 0.0005, 0.01, 0.3, 1.0]), k=st.integers(1, 300), seed=st.integers(0, 99))
def test_a_filtered_search_is_full_and_finds_only_what_is_allowed(share: float, k: int, seed: int) -> None:
    vectors = unit(1_000, 8, 4)
    allowed = np.random.default_rng(seed).random(1_000) < share
    question = unit(1, 8, seed)[0]
    best = np.flatnonzero(allowed)[np.argsort(-(vectors[allowed] @ question), kind="stable")][:k]
    for kind in ("flat", "ivf", "hnsw"):
        found = ItemIndex.build(vectors, kind=kind).search(question, k, allowed)
        assert sorted(found.rows.tolist()) == sorted(best.tolist())


@pytest.mark.parametrize("share", [0.002, 0.05, 0.5])
def test_a_filter_that_is_pushed_into_the_search_leaves_it_full_too(
    built: ItemIndex, vectors: np.ndarray, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "EXACT_LIMIT", 0)
    allowed = np.random.default_rng(3).random(len(vectors)) < share
    for question in unit(10, 16, 8):
        found = built.search(question, 60, allowed)
        assert len(found.rows) == min(60, int(allowed.sum()))
        assert allowed[found.rows].all()


@pytest.mark.parametrize("kind", ["ivf", "ivf_pq"])
def test_a_search_that_is_short_looks_into_more_lists_and_not_at_each_item(
    kind: str, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ItemIndex.build(vectors, kind=kind, effort=1)  # a list has some forty items
    monkeypatch.setattr(ItemIndex, "_each", lambda *_: pytest.fail("every item was looked at"))
    for question in unit(5, 16, 2):
        assert len(index.search(question, 300).rows) == 300


def test_looking_harder_ends_at_the_hardest() -> None:
    assert list(INDEX_TYPES["ivf"].efforts_from(1)) == [1, 4, 16, 64, 256, 512]
    assert list(INDEX_TYPES["ivf"].efforts_from(512)) == [512]
    assert list(INDEX_TYPES["flat"].efforts_from(0)) == [0]


def test_items_come_and_go_without_a_rebuild(vectors: np.ndarray, tmp_path: Path) -> None:
    for kind in INDEX_TYPES:
        index = ItemIndex.build(vectors[:2_000], kind=kind)
        index.add(vectors[2_000:])
        question = vectors[2_500]
        assert index.search(question, 5).rows[0] == 2_500
        index.remove([2_500])
        index.remove([3])
        index.save(tmp_path / "index.faiss")
        for one in (index, ItemIndex.load(tmp_path / "index.faiss")):
            found = one.search(question, len(vectors))
            assert len(found.rows) == len(vectors) - 2
            assert not {3, 2_500} & set(found.rows.tolist())


def test_the_choice_is_the_fastest_of_those_that_reach_the_recall(vectors: np.ndarray) -> None:
    choice = choose(vectors, unit(40, 16, 5), Budget(recall=0.9, k=50))
    able = [m for m in choice.measured if m.recall is not None and m.recall >= 0.9]
    assert choice.chosen == max(able, key=lambda m: m.queries_per_second).kind == choice.index.kind
    assert {m.kind for m in choice.measured} == set(INDEX_TYPES)
    found = [choice.index.search(q, 50).rows for q in unit(40, 16, 5)]
    shares = [np.isin(e, f).mean() for e, f in zip(exact_rows(vectors, unit(40, 16, 5), 50), found, strict=True)]
    assert np.mean(shares) >= 0.9


def test_kinds_beyond_the_budget_are_left_out_and_say_why(vectors: np.ndarray) -> None:
    choice = choose(vectors, unit(20, 16, 5), Budget(k=50, memory_mib=0.01))
    assert choice.chosen == "flat"
    assert all("more than the budget" in m.note for m in choice.measured if m.kind != "flat")


def test_vectors_that_cannot_be_searched_are_refused(vectors: np.ndarray) -> None:
    broken = vectors.copy()
    broken[7, 2] = np.nan
    with pytest.raises(DataError, match=r"1 of 3,000 item vectors hold NaN or infinity, the first is row 7"):
        ItemIndex.build(broken)
    with pytest.raises(DataError, match="come from other towers"):
        ItemIndex.build(vectors).add(unit(3, 8, 1))
    with pytest.raises(DataError, match="without questions"):
        choose(vectors, vectors[:0])


def test_kinds_that_would_take_too_long_are_not_built(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_selection, "PROBE_ROWS", 500)
    choice = choose(vectors, unit(20, 16, 5), Budget(k=50, build_seconds=0.0))
    assert {m.kind for m in choice.measured if m.recall is None} == {"ivf", "ivf_pq", "hnsw"}
    assert all("to build, the budget is 0 s" in m.note for m in choice.measured if m.recall is None)
    assert choice.chosen in ("flat", "scalar")


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_shards_filled_by_tasks_make_the_index_that_is_filled_at_once(
    kind: str, vectors: np.ndarray, ray_cluster: None
) -> None:
    whole = ItemIndex.build(vectors, kind=kind)
    sharded = ItemIndex(filled(INDEX_TYPES[kind].empty(vectors), vectors, rows=700), whole.effort)
    assert len(sharded) == len(vectors)
    for question in unit(8, 16, 4):
        one, other = sharded.search(question, 50), whole.search(question, 50)
        assert one.rows.tolist() == other.rows.tolist()
        np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5)
    np.testing.assert_allclose(sharded.vectors(), whole.vectors())
