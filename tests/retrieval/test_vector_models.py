"""Models with vectors of users and items: what their sources find is what every vector looked at would give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from tests.retrieval.test_sources import ITEMS, LIMIT, SourceContract, query

from remora.core.errors import DataError, UnreadableInput
from remora.retrieval.index import ItemIndex
from remora.retrieval.index_selection import IndexSelection
from remora.retrieval.interaction_histories import Histories
from remora.retrieval.models.item_vectors import FILE, ItemVectors
from remora.retrieval.models.matrix_factorization import Factors
from remora.retrieval.models.sequential import SPEC, Sequential
from remora.retrieval.models.trained_vectors import TrainedVectors
from remora.retrieval.models.training import TrainingData, TrainingSplit
from remora.retrieval.sequential_tower import SequenceSpec, SequentialTower
from remora.retrieval.sources.nearest_items import NearestItems
from remora.retrieval.sources.similar_vectors import SimilarVectors
from remora.settings.components import HistoryEncoderChoice

D = 8
ROWS = np.setdiff1d(np.arange(ITEMS), [0, 2, 7, 39]).astype(np.int32)
"""The others came after the training."""

LIGR = Sequential.Config(encoder="ligr")  # type: ignore[arg-type]


def tower(encoder: str = "ligr", temperature: float | None = 1.0) -> SequentialTower:
    torch.manual_seed(4)
    chosen = HistoryEncoderChoice.model_validate(encoder)
    made = SequentialTower(
        SequenceSpec(items=len(ROWS), dimension=D, encoder=chosen, length=5, temperature=temperature)
    )
    for weight in made.history.parameters():  # nothing stays at a zero that would hide a mistake
        torch.nn.init.normal_(weight, std=0.3)
    return made


def split() -> TrainingSplit:
    histories = Histories.of([[0, 1, 2], [3], []], len(ROWS))
    return TrainingSplit(rows=ROWS, train=histories, held=histories.without_last(3))


def sequential(**shape: Any) -> Sequential:
    return Sequential.of(tower(**shape), split())


def factors(ridge: float = 0.5) -> Factors:
    drawn = np.random.default_rng(2).normal(0.2, 1.0, (len(ROWS), D)).astype(np.float32)
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return Factors(items=ItemVectors(ROWS, unit, ItemIndex.build(unit)), ridge=ridge)


MODELS = {
    "factors": factors(),
    "cosines": sequential(),
    "inner products": sequential(temperature=None),
}


class TestNearestOfASequential(SourceContract):
    def source(self) -> NearestItems:
        return NearestItems(model=sequential(), limit=LIMIT)


class TestNearestOfFactors(SourceContract):
    def source(self) -> NearestItems:
        return NearestItems(model=factors(), limit=LIMIT)


class TestSimilarOfFactors(SourceContract):
    asked = query(item=20)

    def source(self) -> SimilarVectors:
        return SimilarVectors(model=factors(), limit=LIMIT)


class TestSimilarOfASequential(SourceContract):
    asked = query(item=20)

    def source(self) -> SimilarVectors:
        return SimilarVectors(model=sequential(), limit=LIMIT)


ANY_ROWS = st.lists(st.integers(0, ITEMS - 1), max_size=12)


@given(st.sampled_from(sorted(MODELS)), ANY_ROWS, ANY_ROWS, st.integers(1, ITEMS), st.booleans())
def test_the_nearest_are_those_of_the_largest_products_among_what_is_known_and_unseen(
    name: str, history: list[int], seen: list[int], limit: int, skip_seen: bool
) -> None:
    model, asked = MODELS[name], query(history=tuple(history), seen=tuple(seen))
    found = NearestItems(model=model, limit=limit, skip_seen=skip_seen).find(asked)
    vector = model.of_user(asked)
    if not np.isin(history, ROWS).any():
        assert vector is None
        assert not len(found.rows)
        return
    expected = best(model, vector, limit, asked.seen if skip_seen else [])
    np.testing.assert_allclose(found.scores, list(expected.values()), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.scores(vector, found.rows), found.scores, rtol=1e-5, atol=1e-6)
    assert set(found.rows.tolist()) <= set(ROWS.tolist())
    assert len(found.rows) == len(expected)


@given(st.sampled_from(sorted(MODELS)), st.integers(0, ITEMS - 1), st.integers(1, ITEMS))
def test_what_goes_with_an_item_is_what_a_user_who_had_it_alone_would_get(name: str, seed: int, limit: int) -> None:
    model = MODELS[name]
    found = SimilarVectors(model=model, limit=limit).find(query(item=seed))
    alone = NearestItems(model=model, limit=limit).find(query(history=(seed,)))
    assert found.rows.tolist() == alone.rows.tolist()
    assert (len(found.rows) == 0) == (seed not in ROWS)


def best(model: TrainedVectors, vector: np.ndarray, limit: int, leave: Any) -> dict[int, float]:
    """Row -> score by looking at every item."""
    scores = {
        int(row): float(one @ vector)
        for row, one in zip(model.items.rows, model.items.vectors, strict=True)
        if row not in leave
    }
    return dict(sorted(scores.items(), key=lambda one: -one[1])[:limit])


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_item_that_came_after_the_training_has_no_score(name: str) -> None:
    vector = MODELS[name].of_user(query(history=(3, 8)))
    assert vector is not None
    said = MODELS[name].scores(vector, np.arange(ITEMS, dtype=np.int32))
    assert np.flatnonzero(np.isnan(said)).tolist() == [0, 2, 7, 39]


@pytest.mark.parametrize("encoder", ["mean", "causal_transformer", "hstu", "ligr"])
@pytest.mark.parametrize("temperature", [None, 0.07])
def test_a_history_is_encoded_as_the_tower_that_was_trained_does(encoder: str, temperature: float | None) -> None:
    trained = tower(encoder, temperature)
    model = Sequential.of(trained, split())
    for history in ([4], [9, 4, 1], [1, 2, 3, 4, 5, 6, 7, 8]):
        expected = trained.eval().users(torch.tensor([history[-5:]]))[0].numpy()
        np.testing.assert_allclose(model.encode(np.array(history)), expected, rtol=1e-4, atol=1e-5)


@given(st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.5, 30.0]))
def test_a_users_factors_are_the_ridge_regression_of_what_they_had(history: list[int], ridge: float) -> None:
    model = factors(ridge)
    centred = (model.items.vectors - model.items.vectors.mean(axis=0)).astype(np.float64)
    had = np.isin(np.arange(len(ROWS)), history).astype(float)
    # An independent way: least squares with a row of the root of the ridge for each number of a vector.
    penalty = ridge * (centred**2).sum() / D
    rows = np.concatenate([centred, np.sqrt(penalty) * np.eye(D)])
    expected = np.linalg.lstsq(rows, np.concatenate([had - had.mean(), np.zeros(D)]), rcond=None)[0]
    np.testing.assert_allclose(model.encode(np.array(history)), expected / np.linalg.norm(expected), atol=1e-4)


@pytest.mark.parametrize(
    ("model", "config"),
    [(sequential(), LIGR), (factors(), Factors.Config(ridge=0.5))],
    ids=["sequential", "matrix_factorization"],
)
def test_what_is_loaded_answers_as_what_was_saved(model: TrainedVectors, config: Any, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} <= {".safetensors", ".faiss", ".json", ".parquet"}
    loaded = type(model).load(config, tmp_path)
    for history in ((3,), (3, 8, 21), (0, 2), (1, 2, 3, 4, 5, 6, 8)):
        mine, theirs = (NearestItems(model=one, limit=LIMIT).find(query(history=history)) for one in (model, loaded))
        np.testing.assert_array_equal(mine.rows, theirs.rows)
        np.testing.assert_array_equal(mine.scores, theirs.scores)


def test_an_encoder_that_the_settings_do_not_choose_is_refused_whatever_the_file_says(tmp_path: Path) -> None:
    sequential().save(tmp_path)
    with pytest.raises(
        DataError, match=r"trained with .*'ligr'.* the settings say .*'causal_transformer'.* train models"
    ):
        Sequential.load(Sequential.Config(), tmp_path)
    (tmp_path / SPEC).write_text((tmp_path / SPEC).read_text().replace('"ligr"', '"this:module"'))
    with pytest.raises(DataError, match=r"trained with .*'this:module'"):
        Sequential.load(LIGR, tmp_path)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    sequential().save(tmp_path)
    (tmp_path / SPEC).write_text((tmp_path / SPEC).read_text().replace('"dimension": 8', '"dimension": 6'))
    with pytest.raises(UnreadableInput, match="does not describe the encoder beside it"):
        Sequential.load(LIGR, tmp_path)
    (tmp_path / SPEC).write_text('{"items": 4}')
    with pytest.raises(UnreadableInput, match="does not describe the encoder beside it"):
        Sequential.load(LIGR, tmp_path)
    tensors = load_file(tmp_path / FILE)
    save_file(tensors | {"rows": tensors["rows"][:-1]}, tmp_path / FILE)
    with pytest.raises(DataError, match=r"35 item rows, .* an index of 36 vectors of 8 numbers"):
        ItemVectors.load(tmp_path)


def test_a_large_catalogue_gets_the_index_that_users_find_fastest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("remora.retrieval.index_selection.EXACT_LIMIT", 299)
    monkeypatch.setattr("remora.retrieval.index_selection.choose", choose_hnsw)
    drawn = np.random.default_rng(2).normal(size=(300, D)).astype(np.float32)
    rows = 2 * np.arange(300, dtype=np.int32)
    ItemVectors.build(rows, drawn, drawn[:3]).save(tmp_path)
    loaded = ItemVectors.load(tmp_path)
    assert loaded.index.kind == "hnsw"
    assert loaded.search(drawn[4], 3).rows.tolist() == (2 * np.argsort(-(drawn @ drawn[4]))[:3]).tolist()
    assert ItemVectors.build(rows, drawn, drawn[:0]).index.kind == "flat"


def choose_hnsw(vectors: np.ndarray, users: np.ndarray) -> IndexSelection:
    """What a measurement of a second would say."""
    return IndexSelection(index=ItemIndex.build(vectors, kind="hnsw"), chosen="hnsw", measured=())


class Unasked:
    """A trainer that nothing reaches."""


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=9), min_size=1, max_size=9),
    st.floats(0, 0.99),
    st.sampled_from([0.0, 0.3, 0.9]),
)
def test_the_last_items_of_some_users_are_held_out_and_nothing_else(
    histories: list[list[int]], fraction: float, share: float
) -> None:
    data = TrainingData(histories=Histories.of(histories, 10), vocabulary=None, settings=None, networks=Unasked())  # type: ignore[arg-type]
    found = data.split(user_fraction=fraction, seed=3, share=share)
    eligible = sum(len(history) > 2 for history in histories)
    assert len(found.judged) <= int(np.ceil(fraction * eligible))
    for user, history in enumerate(histories):
        train = found.rows[found.train[user]].tolist()
        cut = len(train)
        assert train == history[:cut]
        assert found.rows[found.held[user]].tolist() == [item for item in history[cut:] if item in found.rows]
        assert len(history) - cut in (0, max(1, int(share * len(history))))
        assert cut >= min(len(history), 1)
    assert found.rows.tolist() == sorted({item for user in found.train for item in found.rows[user].tolist()})


def test_a_model_that_is_trained_is_no_model_that_is_learned() -> None:
    assert not any(hasattr(cls, "learn") for cls in (Sequential, Factors))
