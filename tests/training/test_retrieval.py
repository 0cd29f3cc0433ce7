"""The towers are trained by Ray Train, the same with a lost worker as without, and are found again when unchanged."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file
from tests.datasets.worlds import clustered_events, clustered_items, make_lake, settings_for, some_users

from remora.core.artifacts import Artifact
from remora.core.errors import DataError
from remora.fitting.runs import POLL
from remora.retrieval.encoder import UserEncoder
from remora.retrieval.index import ItemIndex
from remora.retrieval.two_tower import Towers
from remora.settings import Settings
from remora.training.retrieval import train
from remora.tuning.retrieval import changed

USERS, ITEMS, CLUSTERS = 60, 40, 4


def small(folder: Path, **retrieval: Any) -> Settings:
    """A shop of clustered taste with two items that no user touched; training of a few seconds."""
    folder.mkdir()
    events = clustered_events(users=USERS, items=ITEMS - 2, clusters=CLUSTERS, days=60, per_user=8)
    make_lake(folder, events, users=some_users(USERS), items=clustered_items(ITEMS, CLUSTERS))
    chosen = {"epochs": 3, "batch_size": 64, "dimension": 16, "uniform_negatives": 16, "validation_user_fraction": 0.1}
    return settings_for(folder, retrieval=chosen | {"learning_rate": 0.01} | retrieval, features={"partitions": 2})


@pytest.fixture(scope="module")
def trained(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Artifact, list[dict]]:
    settings, epochs = small(tmp_path_factory.mktemp("whole") / "home"), []
    return settings, train(settings, epochs.append), epochs


def test_every_epoch_is_reported_and_the_loss_falls(trained: tuple) -> None:
    _, artifact, epochs = trained
    assert [e["epoch"] for e in epochs] == [1, 2, 3]
    assert epochs[-1]["loss"] < epochs[0]["loss"]
    assert artifact.metadata["metrics"]["recall@100"] == max(e["recall@100"] for e in epochs)


def test_the_artifact_holds_what_serving_loads(trained: tuple) -> None:
    settings, artifact, _ = trained
    folder = Path(artifact.at())
    encoder, index = (
        UserEncoder.load(folder, settings.retrieval.history_encoder),
        ItemIndex.load(folder / "index.faiss"),
    )
    assert len(index) == ITEMS
    np.testing.assert_allclose(index.vectors(), encoder.item_vectors.numpy())
    assert not (Path(settings.home) / "training").exists() or not any((Path(settings.home) / "training").iterdir())


def test_an_index_of_other_towers_is_refused(trained: tuple, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(trained[1].at(), folder)
    ItemIndex.build(np.eye(17, dtype=np.float32)).save(folder / "index.faiss")
    with pytest.raises(DataError, match="17 vectors of 17 numbers, the towers 40 of 17: they come from different"):
        Towers.load(folder, trained[0].retrieval.history_encoder)


def test_towers_of_another_encoder_than_the_settings_choose_are_refused(trained: tuple) -> None:
    settings, artifact, _ = trained
    other = changed(settings, {"history_encoder": "ligr"})
    with pytest.raises(
        DataError, match=r"'attention'.* the settings say {'type': 'ligr'.*`remora train retrieval` again"
    ):
        Towers.load(Path(artifact.at()), other.retrieval.history_encoder)


def test_the_files_of_the_towers_choose_no_code(trained: tuple, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    shutil.copytree(trained[1].at(), folder)
    file = folder / "towers.json"
    file.write_text(file.read_text().replace('"attention"', '"some.module:Class"'))
    with pytest.raises(DataError, match=r"'some\.module:Class'"):
        Towers.load(folder, trained[0].retrieval.history_encoder)


def test_an_item_without_events_lies_among_its_own_kind(trained: tuple) -> None:
    vectors = load_file(Path(trained[1].at("item_vectors.safetensors")))["vectors"][:, :-1]
    for new in (ITEMS - 2, ITEMS - 1):
        likeness = vectors[: ITEMS - 2] @ vectors[new]
        own = np.arange(ITEMS - 2) % CLUSTERS == new % CLUSTERS
        assert likeness[own].mean() > likeness[~own].mean() + 0.2


def test_unchanged_reuses_the_result(trained: tuple) -> None:
    settings, artifact, _ = trained
    again: list[dict] = []
    assert train(settings, again.append).metadata == artifact.metadata
    assert again == []


@pytest.mark.slow
def test_a_lost_worker_changes_nothing(trained: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLL, "2")  # so that the run has not ended when the worker is killed
    settings, killed = small(tmp_path / "home"), []

    def kill_one(epoch: dict) -> None:
        if not killed:
            own = psutil.Process().children(recursive=True)
            killed.append(next(p for p in own if "RayTrainWorker" in " ".join(p.cmdline())))
            killed[0].kill()

    again = train(settings, kill_one)
    assert killed
    pace = {"data_wait", "examples_per_second"}
    measured, expected = (
        {k: v for k, v in a.metadata["metrics"].items() if k not in pace} for a in (again, trained[1])
    )
    assert measured == expected
    assert again.read_bytes("towers.safetensors") == trained[1].read_bytes("towers.safetensors")


def test_one_worker_is_enough(ray_cluster: None, tmp_path: Path) -> None:
    artifact = train(small(tmp_path / "home", workers=1, epochs=1))
    assert artifact.metadata["metrics"]["items"] == ITEMS
