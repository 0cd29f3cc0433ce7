"""The blocks of the tutorial on your own data, run as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.docs.pages import ROOT, blocks
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.home import Home
from remora.ingest.ingest import ingest
from remora.ingest.lake import Lake
from remora.settings import load

PAGE = ROOT / "docs" / "tutorials" / "your_data.md"


def test_the_tutorial_brings_a_shop(ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    for name in ("REMORA_CONFIG", "REMORA_HOME"):
        monkeypatch.delenv(name, raising=False)
    exec(next(blocks(PAGE, "python")), {})

    printed = ""
    for line in (line for block in blocks(PAGE, "bash") for line in block.splitlines()):
        done = CliRunner().invoke(app, line.removeprefix("remora ").split(), catch_exceptions=False)
        assert done.exit_code == 0, line
        printed += done.stdout

    lake = Lake.open(Home(str(tmp_path / ".remora" / "mine")))
    assert lake.rows("events") == 2_000
    assert "Gini" in printed


def test_the_settings_by_hand_bring_the_same_shop(
    ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", str(tmp_path))
    exec(next(blocks(PAGE, "python")), {})
    Path("mine.yaml").write_text(next(block for block in blocks(PAGE, "yaml") if block.startswith("name: ")))
    assert 1_900 < ingest(load("mine.yaml")).rows("events") < 2_000
