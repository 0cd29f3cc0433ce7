"""Into production comes what passes; what does not is named, and force leaves its reason behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from tests.release.gates import planting
from typer.testing import CliRunner

from remora.cli import gate as command
from remora.core.errors import BadRequest, GatesFailed
from remora.core.home import Home
from remora.registry.bundle import Bundle
from remora.registry.bundles import Bundles
from remora.release.gates import report
from remora.release.gates.promotion import promote
from remora.release.gates.run import cached_report, run_gates
from remora.settings import GatesSettings, Settings
from remora.wiring import cluster


def test_a_bundle_that_fails_is_refused_by_name_and_forced_only_with_a_reason(
    apart: Settings, production: Bundle
) -> None:
    bundles = Bundles(apart)
    planted = planting.that_crashes(apart, production)
    with pytest.raises(GatesFailed, match=r"loads: The process that loads it ends with exit code 1") as refused:
        promote(apart, planted.id, by="ann", why="it looks fine")
    assert refused.value.bundle == planted.id
    assert bundles.resolve("production") == production.id
    with pytest.raises(BadRequest, match="--why"):
        promote(apart, planted.id, by="ann", why=" ", force=True)
    forced = promote(apart, planted.id, by="ann", why="an exercise", force=True)
    assert bundles.resolve("production") == planted.id
    assert forced.why.startswith("an exercise (forced over: loads, parity, ")
    assert bundles.history()[-1].why == forced.why


def test_a_bundle_that_passes_is_promoted_and_its_report_is_looked_up(apart: Settings, production: Bundle) -> None:
    good = planting.as_good(apart, production)
    Bundles(apart).promote(good.id, "candidate", by="ann", why="to be tried")
    made = run_gates(apart, "candidate")
    assert made.passed, made.failures
    assert (made.candidate, made.production) == (good.id, production.id)
    assert report.read(Home(apart.home), good.id, production.id) == made
    assert run_gates(apart, good.id) == made
    slow = made.verdicts[-1].model_copy(update={"passed": False, "repeatable": False})
    report.write(Home(apart.home), made.model_copy(update={"verdicts": (*made.verdicts[:-1], slow)}))
    assert cached_report(apart, good.id) is None, "it failed for the moment's sake"
    again = run_gates(apart, good.id)
    assert again.passed
    assert again.created_at > made.created_at
    promote(apart, "candidate", by="ann", why="it passed")
    assert Bundles(apart).resolve("production") == good.id
    assert run_gates(apart, good.id) == again, "in production it is not compared with itself"


def test_another_bound_or_another_production_is_another_question(apart: Settings, production: Bundle) -> None:
    first = cached_report(apart, production.id)
    assert first is None, "the run of the whole path measured more"
    planted = planting.that_crashes(apart, production)
    made = run_gates(apart, planted.id)
    assert cached_report(apart, planted.id) == made
    stricter = apart.model_copy(update={"gates": GatesSettings(min_index_recall=0.999)})
    assert cached_report(stricter, planted.id) is None
    assert cached_report(apart, planted.id, planting.as_good(apart, production).id) is None


def test_the_command_says_which_gate_failed_and_by_how_much(
    apart: Settings, production: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planted = planting.that_crashes(apart, production)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "load", lambda config: apart)
    monkeypatch.setattr(cluster, "connect", lambda settings: None)  # the session's cluster is there
    app = typer.Typer()
    app.command()(command.gate)
    drawn = CliRunner().invoke(app, [planted.id])
    assert drawn.exit_code == 1
    assert "exit code 1" in " ".join(drawn.stdout.split())
    assert "--again" not in drawn.stdout
    reused = CliRunner().invoke(app, [planted.id])
    assert f"remora gate {planted.id} --again" in " ".join(reused.stdout.split())
    measured = report.read(Home(apart.home), planted.id, production.id)
    assert CliRunner().invoke(app, [planted.id, "--again"]).exit_code == 1
    assert report.read(Home(apart.home), planted.id, production.id) != measured
    machine = CliRunner().invoke(app, [planted.id, "--json"])
    assert machine.exit_code == 1
    value = json.loads(machine.stdout)
    assert (value["passed"], value["verdicts"][0]["gate"], value["verdicts"][0]["measured"]) == (False, "loads", 1)
