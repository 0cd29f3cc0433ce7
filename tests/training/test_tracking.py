"""Runs in MLflow, whatever became of the experiment and whatever the shell says of MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from remora.registry.tracking import tracking_uri
from remora.settings import Settings
from remora.training.tracking import tracked

DATA = {
    "events": [{"path": "e.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "buy"}],
    "event_types": {"buy": {}},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture
def settings(home: str, request: pytest.FixtureRequest) -> Settings:
    name = request.node.name.removeprefix("test_")[:40]
    return Settings(name=name, home=home, data=DATA)  # type: ignore[arg-type]


def names(settings: Settings) -> list[str]:
    client = MlflowClient(tracking_uri(settings))
    found = client.get_experiment_by_name(settings.name)
    assert found is not None
    return sorted(run.info.run_name for run in client.search_runs([found.experiment_id]))


def test_an_experiment_that_was_deleted_is_restored(settings: Settings) -> None:
    with tracked(settings, "before", "1", {"a": 1}):
        pass
    client = MlflowClient(tracking_uri(settings))
    found = client.get_experiment_by_name(settings.name)
    assert found is not None
    client.delete_experiment(found.experiment_id)
    with tracked(settings, "after", "2", {"a": 1}):
        pass
    assert "after-2" in names(settings)


def test_variables_of_other_work_with_mlflow_change_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    for name, value in {
        "MLFLOW_TRACKING_URI": elsewhere,
        "MLFLOW_REGISTRY_URI": elsewhere,
        "MLFLOW_RUN_ID": "0" * 32,
        "MLFLOW_EXPERIMENT_ID": "77",
        "MLFLOW_EXPERIMENT_NAME": "another",
    }.items():
        monkeypatch.setenv(name, value)
    with tracked(settings, "here", "1", {"a": 1}) as run:
        run.metrics({"recall@100": 0.5})
    assert names(settings) == ["here-1"]
    assert not (tmp_path / "elsewhere.db").exists()


def test_values_of_any_length_and_any_text_are_recorded(settings: Settings) -> None:
    with tracked(settings, "long", "1", {"text": "x" * 20_000, "odd": "[/b]\x1b\n$\\x$", "none": None}):
        pass
    assert names(settings) == ["long-1"]
