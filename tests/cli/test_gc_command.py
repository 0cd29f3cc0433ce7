from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from remora.cli.main import app
from remora.core.artifacts import ArtifactStore
from remora.core.home import Home

EVENTS = {"path": "e.csv", "format": "csv", "columns": {"user_id": "u", "item_id": "i", "event_timestamp": "t"}}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    data = {"events": [EVENTS | {"event_type": "view"}], "event_types": {"view": {}}}
    settings = {"name": "shop", "home": str(tmp_path / "home"), "data": data}
    settings["retention"] = {"min_age_hours": 0, "keep_versions": {"lake": 2}}
    Path("shop.yaml").write_text(yaml.safe_dump(settings))
    artifacts = ArtifactStore(Home(str(tmp_path / "home")), "lake", "remora data ingest")
    for n in range(4):
        staging = artifacts.staging(f"v{n}")
        artifacts.home.write_bytes(f"{staging.folder}/part", b"rows")
        artifacts.commit(staging)
    return "shop.yaml"


def test_it_lists_what_can_go_with_the_reason_and_removes_it_on_request(config: str) -> None:
    def found(*options: str) -> dict[str, object]:
        ended = CliRunner().invoke(app, ["gc", "--config", config, "--json", *options], catch_exceptions=False)
        assert ended.exit_code == 0
        value: dict[str, object] = json.loads(ended.stdout)
        return value

    listed = found()
    assert [(one["kind"], one["name"]) for one in listed["garbage"]] == [("lake", "v0"), ("lake", "v1")]  # type: ignore[attr-defined]
    assert listed["bytes"] == listed["freed_bytes"] != 0
    drawn = CliRunner().invoke(app, ["gc", "--config", config]).stdout
    assert "not among the newest 2" in drawn
    assert "remora gc --delete" in drawn
    assert found("--delete")["garbage"] == listed["garbage"]
    assert found()["garbage"] == []
    assert "Nothing to remove" in CliRunner().invoke(app, ["gc", "--config", config]).stdout
