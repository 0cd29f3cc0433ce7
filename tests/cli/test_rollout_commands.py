from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from tests.registry import releases
from tests.release.rollout.world import Pointers
from typer.testing import CliRunner

from remora.cli import rollout as commands
from remora.core.errors import NotBuilt, NotReady
from remora.registry import pointers
from remora.registry.bundles import Bundles
from remora.release.rollout.controller import Controller, Preflight
from remora.release.rollout.plan import PlanRefused
from remora.release.rollout.start import controller_lock
from remora.settings import Settings, load

DATA = {
    "events": [{"path": "events.csv", "format": "csv", "columns": {"user_id": "u"}, "event_type": "like"}],
    "event_types": {"like": {}},
}
QUICK = {"load_timeout_seconds": 0.01, "poll_seconds": 0.01}
PLAN = ("--plan", "canary:5%:1h,full", "--force")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "shop.yaml"
    file.write_text(yaml.safe_dump({"name": "shop", "home": str(tmp_path / "home"), "data": DATA, "rollout": QUICK}))
    return file


@pytest.fixture
def settings(config: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    # The class is changed and not a module's name for it: what is imported meanwhile would keep another name's value.
    monkeypatch.setattr(pointers.Pointers, "_aliases", property(lambda of: Pointers(of.store.home)))
    proving(opened, monkeypatch)  # these bundles have nothing in them that could be loaded
    return load(config)


@pytest.fixture
def candidate(settings: Settings) -> str:
    bundles = Bundles(settings)
    bundles.promote(releases.build(bundles, b"old").id, by="ann", why="first")
    return releases.build(bundles, b"new").id


def said(config: Path, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(commands.app, [*arguments, "--config", str(config)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


def opened(settings: Settings, bundle: str) -> None:
    Bundles(settings).open(bundle)


def proving(by: Preflight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_controller", lambda settings: Controller(settings, preflight=by))


def interrupt(settings: Settings, bundle: str) -> None:
    raise KeyboardInterrupt


def test_without_replicas_it_is_rolled_back_and_says_why(config: Path, candidate: str) -> None:
    out = said(config, "start", "--bundle", candidate, *PLAN, "--by", "ann", "--why", "[try]", code=1)
    assert "rolled back" in out
    assert "no replica reports; does the endpoint run?" in out
    status = json.loads(said(config, "status", "--json"))
    assert (status["status"], status["bundle"], status["controller_alive"]) == ("rolled back", candidate, False)
    drawn = said(config, "status")
    for part in (candidate, "canary:5%:1h", "[try]", "ann", "Journal"):
        assert part in drawn


def test_ctrl_c_leaves_it_where_it_is_and_resume_continues(
    config: Path, candidate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proving(interrupt, monkeypatch)
    assert "stay as they are" in said(
        config, "start", "--bundle", candidate, *PLAN, "--why", "[try]", code=commands.UNFINISHED
    )
    assert "No controller carries it out now" in said(config, "status")
    proving(opened, monkeypatch)
    assert "rolled back" in said(config, "resume", code=1)


def test_what_no_controller_carries_out_is_paused_and_given_up_here_and_now(
    config: Path, candidate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proving(interrupt, monkeypatch)
    said(config, "start", "--bundle", candidate, *PLAN, "--why", "[try]", code=commands.UNFINISHED)
    assert "paused at preflight" in said(config, "pause", "--why", "lunch")
    assert "aborted at preflight" in said(config, "abort", "--why", "enough")
    with pytest.raises(NotReady, match="nothing to pause"):
        said(config, "pause")
    with pytest.raises(NotReady, match="nothing to continue with"):
        said(config, "resume")


def test_a_second_controller_is_refused(config: Path, settings: Settings, candidate: str) -> None:
    with controller_lock(settings), pytest.raises(NotReady, match="Another controller"):
        said(config, "start", "--bundle", candidate, *PLAN, "--why", "[try]")


def test_a_plan_that_does_not_parse_begins_nothing(config: Path, settings: Settings) -> None:
    with pytest.raises(PlanRefused, match="character 8"):
        said(config, "start", "--bundle", "candidate", "--plan", "canary:5:1h,full")
    with pytest.raises(NotBuilt, match="remora rollout start"):
        said(config, "status")


def test_it_is_not_detached_where_no_cluster_would_outlive_the_command(
    config: Path, candidate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(NotReady, match="remora serve start"):
        said(config, "start", "--bundle", candidate, *PLAN, "--why", "[try]", "--detach")
    with pytest.raises(NotBuilt):
        said(config, "status")
