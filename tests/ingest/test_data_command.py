"""`remora data`, as typed."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.ingest.shop import bring_shop
from typer.testing import CliRunner

from remora.cli.data import app
from remora.core.errors import MissingInput
from remora.core.home import Home
from remora.ingest.lake import Lake


@pytest.fixture
def typed(home_folder, tmp_path, monkeypatch):
    """Runs `remora data ...` in a folder whose active settings are the shop's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REMORA_CONFIG", raising=False)
    config = tmp_path / "shop.yaml"
    config.write_text(yaml.safe_dump(bring_shop(home_folder).model_dump(mode="json")))

    def run(*arguments: str) -> str:
        done = CliRunner().invoke(app, [*arguments, "--config", str(config)], catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    return run


def test_ingest_and_report_speak_json_and_pictures(ray_cluster, typed, home_folder):
    metadata = json.loads(typed("ingest", "--json"))
    lake = Lake.open(Home(str(home_folder)))
    assert metadata == lake.artifact.metadata
    assert "duplicate of another row" in typed("ingest")
    assert json.loads(typed("report", "--json"))["lake"] == lake.version
    assert "Gini" in typed("report")


def test_get_says_which_datasets_there_are(typed, home_folder, tmp_path):
    settings = bring_shop(home_folder, dataset="movielens-9").model_dump(mode="json")
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(MissingInput, match="movielens-100k, movielens-1m"):
        typed("download")
