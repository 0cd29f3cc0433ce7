"""The retrieval benchmark's reading of data and its metrics, against definitions written out."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from benchmarks.retrieval.data import pairs, sequences
from benchmarks.retrieval.measure import of_next, of_pairs
from hypothesis import given, settings
from hypothesis import strategies as st

from remora.core.errors import DataError, MissingInput
from remora.retrieval.interaction_histories import Histories


def folder(where: Path, **columns: list[Any]) -> Path:
    pl.DataFrame(columns).write_parquet(where / "events.parquet")
    return where


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_recall_ndcg_and_hits_are_their_definitions(seed: int) -> None:
    draw = np.random.default_rng(seed)
    items = int(draw.integers(4, 40))
    scores = draw.permutation(items).astype(np.float32)[None]
    kind = draw.choice(3, items, p=[0.5, 0.2, 0.3])  # nothing, had, wanted
    kind[0] = 2
    found = of_pairs(
        scores.copy(), sp.csr_array((kind == 1)[None].astype(float)), sp.csr_array((kind == 2)[None].astype(float))
    )
    shown = [item for item in np.argsort(-scores[0]).tolist() if kind[item] != 1][:20]
    wanted = set(np.flatnonzero(kind == 2).tolist())
    gain = sum(1 / math.log2(place + 2) for place, item in enumerate(shown) if item in wanted)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(20, len(wanted))))
    assert found["ndcg@20"][0] == pytest.approx(gain / ideal)
    assert found["recall@20"][0] == pytest.approx(len(wanted & set(shown)) / len(wanted))
    assert found["hr@5"][0] == float(bool(wanted & set(shown[:5])))


def test_the_next_item_is_ranked_among_all_that_were_not_had_and_equal_scores_gain_nothing() -> None:
    had = Histories.of([[0, 1], [2]], items=6)
    scores = np.array([[9, 8, 7, 6, 5, 4], [1, 1, 1, 1, 1, 1]], np.float32)
    found = of_next(scores, had, np.array([3, 4]))
    assert found["mrr"].tolist() == [1 / 2, 1 / 3]  # one better; four level, of which half count


def test_pairs_are_split_as_marked_and_once_each(tmp_path: Path) -> None:
    marks = ["train"] * 4 + ["valid", "test"]
    data = pairs(folder(tmp_path, user_id=[1, 1, 1, 2, 2, 2], item_id=[5, 5, 6, 5, 7, 8], split=marks), seed=1)
    assert data.train.toarray().tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert data.validation.toarray().tolist() == [[0, 0, 0, 0], [0, 0, 1, 0]]
    assert data.test.toarray().tolist() == [[0, 0, 0, 0], [0, 0, 0, 1]]


def test_without_validation_some_training_pairs_are_held_out_and_come_back(tmp_path: Path) -> None:
    users = np.repeat(np.arange(50), 10)
    rows = {"user_id": [*users, 3], "item_id": [*np.tile(np.arange(10), 50), 11], "split": ["train"] * 500 + ["test"]}
    data = pairs(folder(tmp_path, **rows), seed=1)
    assert 50 < data.validation.nnz < 150
    assert data.train.nnz + data.validation.nnz == data.all_train.nnz == 500


def test_the_last_item_is_the_test_and_the_last_but_one_the_validation(tmp_path: Path) -> None:
    data = sequences(folder(tmp_path, user_id=[1, 1, 1, 1, 2, 2], item_id=[9, 8, 7, 6, 9, 8], pos=[3, 2, 1, 0, 0, 1]))
    assert data.asked.tolist() == [0]
    assert data.train[0].tolist() == [0, 1]
    assert data.train[1].tolist() == [3, 2]  # too short to be asked, so learned from
    had, wanted = data.question(1, data.asked)
    assert (had[0].tolist(), wanted.tolist()) == ([0, 1, 2], [3])
    had, wanted = data.question(2, data.asked)
    assert (had[0].tolist(), wanted.tolist()) == ([0, 1], [2])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": [1, 1], "item_id": [1, 2], "split": ["train", "train"]}, "marked 'test'"),
        ({"user_id": [1, 1], "item_id": [1, 2], "split": ["test", "test"]}, "marked 'train'"),
        ({"user_id": [1, 1], "item_id": [1, 2], "split": ["later", "train"]}, "'later'; known are"),
        ({"user_id": [1, 1], "item_id": [1, 2], "split": ["train", "test"]}, "too few to hold some out"),
        ({"user_id": [1.0, float("nan")], "item_id": [1, 2], "split": ["train", "test"]}, "NaN or infinite in 1 rows"),
        ({"user_id": [1, None], "item_id": [1, 2], "split": ["train", "test"]}, "1 rows of .* have no 'user_id'"),
        ({"user_id": [], "item_id": [], "split": []}, "has no rows"),
        ({"user_id": [1, 2], "item_id": [5, 5], "split": ["train", "test"]}, "nothing to rank with one item"),
    ],
)
def test_a_split_that_cannot_be_measured_says_why(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        pairs(folder(tmp_path, **columns), seed=1)


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match=r"events\.parquet"):
        sequences(tmp_path)
    with pytest.raises(MissingInput, match="'pos'"):
        sequences(folder(tmp_path, user_id=[1], item_id=[1]))
    with pytest.raises(DataError, match="None of 1 users has three items"):
        sequences(folder(tmp_path, user_id=[1, 1], item_id=[1, 2], pos=[0, 1]))
