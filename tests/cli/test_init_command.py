"""`remora init`: what it writes, what it prints, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.project.shapes import SHAPES, Tables
from typer.testing import CliRunner, Result

from remora.cli.main import app
from remora.core.errors import MissingInput, SettingsError
from remora.settings import load


@pytest.fixture
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    return SHAPES["warehouse"](tmp_path_factory.mktemp("tables"))


def init(tables: Tables, folder: Path, *more: str) -> Result:
    named = [part for table, path in tables.items() for part in (f"--{table}", path)]
    return CliRunner().invoke(app, ["init", *named, "--folder", str(folder), *more])


def test_it_writes_a_project_and_says_what_it_found(tables: Tables, tmp_path: Path) -> None:
    folder = tmp_path / "My Shop"
    done = init(tables, folder)
    assert done.exit_code == 0, done.exception
    for file in ("remora.yaml", "feature_repo/entities.py", "serve_apps/config.yaml", ".gitignore"):
        assert (folder / file).is_file()
    settings = load(folder / "remora.yaml")
    assert (settings.name, settings.home) == ("my-shop", str(folder / ".remora" / "my-shop"))
    for text in ("CUSTOMER_ID", "PURCHASE", "ranking training", "left out TOTAL_SALES of items", "Not sure", "Next: "):
        assert text in done.stdout


def test_it_replaces_settings_by_force_alone_and_nothing_else(tables: Tables, tmp_path: Path) -> None:
    init(tables, tmp_path)
    (tmp_path / "remora.yaml").write_text("# mine\n")
    (tmp_path / "feature_repo" / "services.py").write_text("# mine\n")
    done = init(tables, tmp_path)
    assert isinstance(done.exception, SettingsError)
    assert "remora.yaml exists. Pass --force" in str(done.exception)
    assert (tmp_path / "remora.yaml").read_text() == "# mine\n"
    done = init(tables, tmp_path, "--force")
    assert load(tmp_path / "remora.yaml").name
    assert (tmp_path / "feature_repo" / "services.py").read_text() == "# mine\n"
    assert "Left as it is" in done.stdout
    assert "services.py" in done.stdout


def test_as_json_it_has_what_is_not_sure(tables: Tables, tmp_path: Path) -> None:
    found = json.loads(init(tables, tmp_path, "--json").stdout)
    assert found["columns"]["user_id"] == "CUSTOMER_ID"
    assert found["event_types"]["PURCHASE"] == {"weight": 1.0, "sign": 1}
    assert {leak["column"] for leak in found["leaks"]} >= {"TOTAL_SALES", "LIFETIME_VALUE"}
    assert all(doubt.keys() == {"what", "change"} for doubt in found["unsure"])


def test_nothing_is_written_where_a_table_cannot_be_used(tables: Tables, tmp_path: Path) -> None:
    done = init({**tables, "items": "nowhere.csv"}, tmp_path)
    assert isinstance(done.exception, MissingInput)
    assert list(tmp_path.iterdir()) == []
