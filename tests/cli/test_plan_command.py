"""`remora plan`: a table for people, JSON for machines, and no trace of either in the home."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.end_to_end.dataset import write
from tests.workflow.finished_run import finish_run
from typer.testing import CliRunner

from remora.cli.main import app
from remora.settings import load


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a home after a run, with another learning rate since."""
    file = write(tmp_path, people=20, things=15, events=300)
    values = yaml.safe_load(file.read_text()) | {"home": str(tmp_path / "home")}
    file.write_text(yaml.safe_dump(values))
    finish_run(load(file))
    values["retrieval"]["learning_rate"] = 0.004
    file.write_text(yaml.safe_dump(values))
    return file


def test_it_draws_a_row_for_each_step_with_the_reason_and_a_sentence(config: Path) -> None:
    ended = CliRunner().invoke(app, ["plan", "--config", str(config)], catch_exceptions=False)
    assert ended.exit_code == 0
    assert "retrieval.learning_rate: 0.002 → 0.004" in ended.stdout
    assert "'train retrieval' runs before it" in ended.stdout
    assert "8 of 14 steps would run: train retrieval, ranking rows" in ended.stdout


def test_as_json_every_reason_has_its_values(config: Path) -> None:
    ended = CliRunner().invoke(app, ["plan", "--config", str(config), "--json"], catch_exceptions=False)
    found = {step["name"]: step for step in json.loads(ended.stdout)["steps"]}
    assert found["ingest"]["action"] == "unchanged"
    assert found["train retrieval"]["command"] == "remora train retrieval"
    assert found["train retrieval"]["reasons"] == [
        {
            "kind": "setting",
            "text": "retrieval.learning_rate: 0.002 → 0.004",
            "setting": "retrieval.learning_rate",
            "before": 0.002,
            "after": 0.004,
        }
    ]


def test_a_scheduled_run_is_planned_too(config: Path) -> None:
    ended = CliRunner().invoke(app, ["plan", "--config", str(config), "--since", "last", "--json"])
    assert json.loads(ended.stdout)["steps"][-1]["name"] == "gates", "retraining.on_success is candidate"


def test_it_loads_neither_ray_nor_what_trains(config: Path) -> None:
    code = (
        "import sys; from remora.settings import load; from remora.workflow.plan import plan; "
        "plan(load(sys.argv[1])); print(*{'ray', 'torch', 'feast', 'mlflow', 'faiss'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code, str(config)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
