"""The ranker: one column an objective, blended, calibrated, weighed; kept and loaded as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.ranking.worlds import COLUMNS, MODELS, NETWORK, OBJECTIVES, TREES, TYPES, WIDTH, slates, trees, vectors

from remora.core.errors import DataError, MissingInput
from remora.ranking.batch import Batch
from remora.ranking.blend import Blend
from remora.ranking.calibration import Isotonic, Sigmoid
from remora.ranking.models.network import Network
from remora.ranking.models.trees import Trees
from remora.ranking.network.inputs import Scale
from remora.ranking.network.network import NetworkSpec, RankingNetwork
from remora.ranking.ranker import Ranker, RankerSpec
from remora.ranking.slate_value import value_of

CALIBRATORS = {
    "engaged": Sigmoid(slope=1.0, intercept=-0.5),
    "liked": Isotonic(margins=(-1.0, 1.0), values=(0.1, 0.4)),
}


@pytest.fixture(scope="module")
def ranker() -> Ranker:
    torch.manual_seed(3)
    train = slates(60, seed=1)
    spec = NetworkSpec(
        columns=COLUMNS, scale=Scale.fit(train.batch.features), objectives=OBJECTIVES, dimension=WIDTH,
        settings=Network.Config(hidden_dim=8, attention_dim=4, experts=2, expert_width=8),
    )  # fmt: skip
    blend = Blend(shares={TREES: (0.75, 0.0), NETWORK: (0.25, 1.0)}, spread={TREES: (2.0, 1.0), NETWORK: (0.5, 1.0)})
    return Ranker(
        spec=RankerSpec(columns=COLUMNS, calibrators=CALIBRATORS, blend=blend, types=TYPES),
        models={TREES: trees(train), NETWORK: Network(spec, RankingNetwork(spec), vectors())},
    )


def test_a_column_is_the_calibrated_blend_of_the_models(ranker: Ranker) -> None:
    batch = slates(4, seed=2).batch
    trees, network = (ranker.models[name].margins(batch) for name in (TREES, NETWORK))
    found = ranker.score(batch)
    margin = 0.75 * trees[:, 0] / 2 + 0.25 * network[:, 0] / 0.5
    np.testing.assert_allclose(found["engaged"], 1 / (1 + np.exp(-(margin - 0.5))), rtol=1e-5)
    np.testing.assert_allclose(found["liked"], np.interp(network[:, 1], (-1, 1), (0.1, 0.4)), rtol=1e-5)


def test_it_is_loaded_as_it_was_saved_and_leaves_out_models_without_a_share(ranker: Ranker, tmp_path: Path) -> None:
    ranker.save(tmp_path)
    batch = slates(4, seed=2).batch
    loaded = Ranker.load(tmp_path, MODELS, vectors())
    for name, column in loaded.score(batch).items():
        np.testing.assert_array_equal(column, ranker.score(batch)[name])

    alone = tmp_path / "alone"
    alone.mkdir()
    spec = ranker.spec.model_copy(update={"blend": Blend(
        shares={TREES: (1.0, 1.0), NETWORK: (0.0, 0.0)}, spread={TREES: (1.0, 1.0), NETWORK: (1.0, 1.0)}
    )})  # fmt: skip
    Ranker(spec=spec, models=ranker.models).save(alone)
    files = {path.relative_to(alone).as_posix() for path in alone.rglob("*") if path.is_file()}
    assert files == {"ranker.json", "ranking/trees/trees.engaged.ubj", "ranking/trees/trees.liked.ubj"}
    assert set(Ranker.load(alone, MODELS, vectors()).models) == {TREES}


@pytest.mark.parametrize("chosen", [("engaged",), ("liked",), OBJECTIVES])
def test_some_objectives_alone_are_predicted_as_with_the_others(ranker: Ranker, chosen: tuple[str, ...]) -> None:
    batch = slates(4, seed=2).batch
    whole, alone = ranker.score(batch), ranker.select(chosen)
    assert set(alone.models) == ({NETWORK} if chosen == ("liked",) else {TREES, NETWORK})
    assert alone.score(batch).keys() == set(chosen)
    for name, column in alone.score(batch).items():
        np.testing.assert_array_equal(column, whole[name])
    if chosen == OBJECTIVES:
        np.testing.assert_array_equal(alone.select(("liked",)).score(batch)["liked"], whole["liked"])


def test_what_weighs_nothing_is_not_run(ranker: Ranker) -> None:
    class Never:
        def margins(self, batch: Batch) -> np.ndarray:
            raise AssertionError("this model has no share in what is weighed")

        def select(self, indices: Sequence[int]) -> Never:
            return self

        def save(self, folder: Path) -> None: ...

    models = {TREES: Never(), NETWORK: ranker.models[NETWORK]}
    found = Ranker(spec=ranker.spec, models=models).select({"liked"}).score(slates(4, seed=2).batch)
    assert found.keys() == {"liked"}


def test_contributions_add_up_to_the_margin(ranker: Ranker) -> None:
    trees, batch = ranker.models[TREES], slates(4, seed=2).batch
    assert isinstance(trees, Trees)
    parts = trees.contributions(batch, "liked")
    assert parts.shape == (len(batch), len(COLUMNS.columns) + 1)
    np.testing.assert_allclose(parts.sum(axis=1), trees.margins(batch)[:, 1], atol=1e-5)
    assert np.abs(parts[:, 1]).max() > 0  # the kind, on which `liked` depends


def test_weights_order_a_slate_and_ask_for_columns_that_there_are() -> None:
    columns = {"engaged": np.array([0.5, 0.2]), "liked": np.array([0.1, 0.3])}
    assert value_of(columns, {"engaged": 1.0, "liked": 0.0, "gone": 0.0}).tolist() == [0.5, 0.2]
    assert value_of(columns, {"engaged": 1.0, "liked": 4.0}).argmax() == 1
    with pytest.raises(DataError, match=r"predicts engaged, liked, and ranking\.objectives weighs bought"):
        value_of(columns, {"bought": 1.0})


def test_columns_that_are_missing_new_or_infinite() -> None:
    columns = {"candidate__place": np.arange(3), "item_profile__kind": np.array(["a", "new", None], object)}
    with pytest.raises(MissingInput, match="item_activity__count"):
        COLUMNS.matrix(columns, 3)
    found = COLUMNS.matrix(columns | {"item_activity__count": np.array([np.inf, -np.inf, 1.0])}, 3)
    np.testing.assert_array_equal(found[:, 1], [0, np.nan, np.nan])
    np.testing.assert_array_equal(found[:, 2], [np.nan, np.nan, 1])


def test_a_slate_of_one_and_of_none(ranker: Ranker) -> None:
    one = slates(1, seed=3, size=1).batch
    assert {name: column.shape for name, column in ranker.score(one).items()} == {"engaged": (1,), "liked": (1,)}
    none = Batch(features=one.features[:0], rows=one.rows[:0], slate=one.slate[:0], histories=[])
    assert {column.shape for column in ranker.score(none).values()} == {(0,)}


def live(batch: Batch, known: int) -> Batch:
    """With histories of items of both kinds; the worlds' have none."""
    histories = [np.array([row % (2 * known), known - 1, known], np.int32) for row in range(len(batch.histories))]
    return replace(batch, histories=histories)


def test_live_items_are_scored_by_their_features_and_vectors(ranker: Ranker) -> None:
    """As if the models had known their vectors all along."""
    batch, known = slates(4, seed=2).batch, len(vectors()) // 2
    assert (batch.rows >= known).any()
    batch = live(batch, known)
    network = ranker.models[NETWORK]
    fewer = replace(network, item_vectors=vectors()[:known])
    half = replace(ranker, models={**ranker.models, NETWORK: fewer})
    found = half.with_live_items(known, vectors()[known:].numpy())
    for name, column in ranker.score(batch).items():
        np.testing.assert_allclose(found.score(batch)[name], column, rtol=1e-5)
        np.testing.assert_allclose(found.select({name}).score(batch)[name], column, rtol=1e-5)


def test_a_model_that_does_not_take_live_items_gives_no_margin_for_them(ranker: Ranker) -> None:
    batch, known = slates(4, seed=2).batch, len(vectors()) // 2
    batch = live(batch, known)
    fewer = replace(ranker.models[NETWORK], item_vectors=vectors()[:known])
    found = replace(ranker, models={**ranker.models, NETWORK: fewer}).with_live_items(known, None)
    is_live = batch.rows >= known
    for scored in (found.score(batch), found.select({"liked"}).score(batch)):
        for column in scored.values():
            np.testing.assert_array_equal(np.isnan(column), is_live)
    only = Batch(
        features=batch.features[:1],
        rows=np.array([known], np.int32),
        slate=np.zeros(1, np.int64),
        histories=[batch.rows[:3]],
    )
    assert all(np.isnan(column).all() for column in found.score(only).values())
    assert found.contributions(only, "engaged") is not None, "the trees read features alone"
