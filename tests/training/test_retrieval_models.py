"""Models of `retrieval.models` that a step trains: once, from what was before the cut, and each is found by itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users

from remora.core.artifacts import Artifact
from remora.core.errors import DataError, NotBuilt
from remora.core.home import Home
from remora.datasets.splits import time_split
from remora.ingest.lake import Lake
from remora.pipeline import Query
from remora.settings import Settings
from remora.steps.path import MODELS
from remora.training.retrieval_models import train
from remora.wiring.bundle_contents import learn_models, trained_models

pytestmark = pytest.mark.slow  # each model is a run of Ray Train, which takes ten seconds however little it learns

USERS, ITEMS, CLUSTERS = 60, 40, 4
SMALL = {"dimension": 8, "epochs": 2, "negatives": 16, "validation_user_fraction": 0.2, "learning_rate": 0.02}
TASTE = {"type": "sequential", "encoder": {"type": "ligr", "layers": 1}, "length": 8, "batch_users": 16, **SMALL}
FACTORS = {"type": "matrix_factorization", "batch_size": 64, **SMALL}
NO_SOURCES = {"home_feed": {"sources": {"linear": None, "co_visited": None}}, "similar_items": None}


def small(folder: Path, **models: Any) -> Settings:
    """A shop of clustered taste with two items that no user touched."""
    if not folder.exists():
        folder.mkdir()
        events = clustered_events(users=USERS, items=ITEMS - 2, clusters=CLUSTERS, days=60, per_user=8)
        make_lake(folder, events, users=some_users(USERS), items=clustered_items(ITEMS, CLUSTERS))
    chosen = {"linear": None, "co_visitation": None, **models}
    return settings_for(
        folder, retrieval={"models": chosen, "workers": 1}, features={"partitions": 2}, surfaces=NO_SOURCES
    )


@pytest.fixture(scope="module")
def trained(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Artifact, list[str]]:
    settings, heard = small(tmp_path_factory.mktemp("models") / "home", taste=TASTE, factors=FACTORS), list[str]()
    return settings, train(settings, lambda name, epoch: heard.append(name)), heard


def copied(trained: tuple[Settings, Artifact, list[str]], tmp_path: Path, **models: Any) -> Settings:
    """The same home, which a test may change, with other models."""
    shutil.copytree(trained[0].home, tmp_path / "home")
    return small(tmp_path / "home", **models)


def test_each_model_has_a_folder_and_reports_its_epochs(trained: tuple[Settings, Artifact, list[str]]) -> None:
    settings, artifact, heard = trained
    assert heard == ["taste", "taste", "factors", "factors"]
    assert {file.partition("/")[0] for file in artifact.metadata["files"]} == {"taste", "factors"}
    for metrics in artifact.metadata["metrics"].values():
        assert metrics["epochs"] == 2
        assert 0 < metrics["best"] <= 1
    assert not any((Path(settings.home) / "training").iterdir())


@pytest.mark.parametrize("name", ["taste", "factors"])
def test_it_finds_items_of_the_users_own_taste_and_none_that_came_later(
    name: str, trained: tuple[Settings, Artifact, list[str]]
) -> None:
    model, lake = trained_models(trained[0])[name], Lake.open(Home(trained[0].home))
    until, vocabulary = time_split(trained[0], lake).retrieval_end, lake.vocabulary()
    before = {item for block in lake.events(before=until).iter_batches(batch_size=None) for item in block["item_id"]}
    assert {vocabulary.id(row) for row in model.items.rows} <= before
    assert not {"i038", "i039"} & {vocabulary.id(row) for row in model.items.rows}
    own = []
    for cluster in range(CLUSTERS):
        vector = model.of_user(asked(vocabulary.rows([f"i{cluster + CLUSTERS * n:03d}" for n in range(3)])))
        own += [int(vocabulary.id(row)[1:]) % CLUSTERS == cluster for row in model.search(vector, 8).rows]
    assert np.mean(own) > 0.7


def test_unchanged_models_are_found_again(trained: tuple[Settings, Artifact, list[str]]) -> None:
    again: list[str] = []
    assert train(trained[0], lambda name, epoch: again.append(name)).metadata == trained[1].metadata
    assert again == []


def test_a_change_of_one_model_trains_no_other(trained: tuple[Settings, Artifact, list[str]], tmp_path: Path) -> None:
    heard: list[str] = []
    # Without validation users, so that no epoch is better than the last.
    change = {"epochs": 1, "validation_user_fraction": 0.0}
    other = copied(trained, tmp_path, taste=TASTE, factors=FACTORS | change, list={"type": "co_visitation"})
    found = train(other, lambda name, epoch: heard.append(name))
    assert (heard, found.metadata["metrics"]["factors"]["epochs"]) == (["factors"], 1)
    assert found.metadata["trained"]["taste"] == trained[1].metadata["trained"]["taste"]
    assert found.version != trained[1].version
    alone = train(small(tmp_path / "home", taste=TASTE), lambda name, epoch: heard.append(name))
    assert (heard, list(alone.metadata["trained"])) == (["factors"], ["taste"])


def test_without_a_model_to_train_there_is_an_empty_version_and_nothing_is_read(
    trained: tuple[Settings, Artifact, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = copied(trained, tmp_path, list={"type": "co_visitation"})
    monkeypatch.delattr("remora.training.retrieval_models.positive_histories")
    found = train(settings)
    assert (found.metadata["trained"], found.metadata["files"]) == ({}, {})
    MODELS.artifacts(Home(settings.home)).remove(found.version)
    assert trained_models(settings) == {}


def test_a_model_that_was_not_trained_is_named_with_the_command(
    trained: tuple[Settings, Artifact, list[str]], tmp_path: Path
) -> None:
    added = copied(trained, tmp_path, taste=TASTE, later=TASTE)
    with pytest.raises(DataError, match=r"retrieval model 'later'.*Run `remora train models`"):
        trained_models(added)
    shutil.rmtree(tmp_path / "home" / "models")
    with pytest.raises(NotBuilt, match="remora train models"):
        trained_models(added)


def test_those_that_are_trained_are_not_learned_as_of_an_instant(
    trained: tuple[Settings, Artifact, list[str]], tmp_path: Path
) -> None:
    lake = Lake.open(Home(trained[0].home))
    assert learn_models(lake, lake.vocabulary(), trained[0], lake.end) == {}


def asked(history: np.ndarray) -> Query:
    return Query(request_id="r", surface="home_feed", n=8, instant=None, history=history)  # type: ignore[arg-type]
