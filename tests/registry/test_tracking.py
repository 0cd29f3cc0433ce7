from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from remora.core.errors import SettingsError
from remora.registry.tracking import artifact_root, tracking_uri
from remora.settings import Settings


def _track_one_run(settings: Settings, name: str) -> str:
    client = MlflowClient(tracking_uri(settings))
    experiment = client.create_experiment(name, artifact_location=artifact_root(settings))
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "ndcg", 0.5)
    return run.info.run_id


def test_the_embedded_database_lies_in_the_home(settings: Settings) -> None:
    assert tracking_uri(settings) == f"sqlite:///{settings.home}/mlflow/mlflow.db"
    assert artifact_root(settings) == Path(settings.home, "mlflow/artifacts").as_uri()


def test_a_named_server_is_used_as_it_is(settings: Settings) -> None:
    named = settings.model_copy(update={"tracking_uri": "http://mlflow:5000"})
    assert tracking_uri(named) == "http://mlflow:5000"
    assert not Path(settings.home, "mlflow").exists()


def test_a_home_on_s3_needs_a_named_server(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="Set tracking_uri"):
        tracking_uri(settings.model_copy(update={"home": "s3://bucket/prefix?region=x"}))


def test_processes_that_open_a_new_database_at_once_all_track_their_runs(settings: Settings) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        runs = pool.starmap(_track_one_run, [(settings, f"experiment-{n}") for n in range(2)])
    client = MlflowClient(tracking_uri(settings))
    assert [client.get_run(run).data.metrics for run in runs] == [{"ndcg": 0.5}] * 2
    assert [file.name for file in Path(settings.home, "mlflow").iterdir()] == ["mlflow.db"]


def test_runs_of_a_home_on_s3_put_their_files_beside_it(settings: Settings) -> None:
    remote = settings.model_copy(update={"home": "s3://bucket/prefix?region=x"})
    assert artifact_root(remote) == "s3://bucket/prefix/mlflow/artifacts"
