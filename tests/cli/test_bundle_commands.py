from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.registry import releases
from typer.testing import CliRunner

from remora.cli.bundle import app
from remora.contracts.errors import BadRequest, NotBuilt
from remora.registry.bundles import Bundles
from remora.settings import Settings, load

DATA = {
    "events": [{"path": "events.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "like"}],
    "event_types": {"like": {}},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump({"name": "shop", "home": str(tmp_path / "home"), "data": DATA}))
    return file


@pytest.fixture
def settings(config: Path) -> Settings:
    return load(config)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_bundle_is_listed_promoted_and_shown_for_people_and_for_machines(config: Path, settings: Settings) -> None:
    option = ("--config", str(config))
    assert "no bundle yet" in said("list", *option)
    built = releases.build(Bundles(settings))
    promoted = json.loads(said("promote", built.id, "--force", "--why", "[first]", "--by", "ann", "--json", *option))
    assert (promoted["bundle"], promoted["previous"], promoted["by"]) == (built.id, None, "ann")
    assert [b["aliases"] for b in json.loads(said("list", "--json", *option))["bundles"]] == [["production"]]
    assert json.loads(said("show", "--json", *option))["files"]["ranker.ubj"]["bytes"] == 9
    shown = said("show", "production", *option)
    assert "Model card: shop" in shown
    assert "ranker.ubj" in shown
    assert promoted["why"] == "[first] (forced over: gates that were not run)"
    assert "[first]" in said("history", *option)
    assert "production" in said("list", *option)


def test_what_is_not_promoted_cannot_be_shown(config: Path) -> None:
    with pytest.raises(NotBuilt, match="remora bundle promote"):
        said("show", "production", "--config", str(config))


def test_without_gates_nothing_comes_into_production_and_force_needs_a_reason(config: Path, settings: Settings) -> None:
    built = releases.build(Bundles(settings))
    with pytest.raises(NotBuilt, match="remora data ingest"):
        said("promote", built.id, "--config", str(config))
    with pytest.raises(BadRequest, match="--why REASON"):
        said("promote", built.id, "--force", "--why", "  ", "--config", str(config))
    assert Bundles(settings).history() == ()


def test_a_candidate_passes_no_gate_on_its_way(config: Path, settings: Settings) -> None:
    built = releases.build(Bundles(settings))
    said("promote", built.id, "--alias", "candidate", "--config", str(config))
    assert Bundles(settings).resolve("candidate") == built.id
