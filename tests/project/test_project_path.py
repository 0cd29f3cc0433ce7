"""From the wheel, in an empty folder far from the checkout: settings, Feast, the whole path, and a slate."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import yaml
from tests.project.shapes import SHAPES
from tests.project.wheel import Installed

SMALL = {
    "cluster": {"cpus": 4, "object_store_gib": 0.3},
    "retrieval": {"epochs": 2, "dimension": 16, "workers": 1},
    "ranking": {"workers": 1, "train_queries": 300, "models": {"trees": {"num_boost_round": 20}}},
    "evaluation": {"bootstrap_samples": 50},
    "gates": {
        "requests": 20,
        "max_queries": 50,
        "latency_rounds": 1,
        "parity_users": 5,
        "calibration_error": 1.0,
        "min_coverage": 0.001,
    },
    "serving": {"max_replicas": 1, "proxy": "python", "timeout_ms": 20_000, "max_timeout_ms": 20_000},
}
"""Budgets for a test, over the proposed settings; the gates bound what so little training cannot reach."""


def begun(installed: Installed, folder: Path) -> Path:
    """A project with tables of its own."""
    folder.mkdir()
    tables = SHAPES["warehouse"](folder)
    installed.remora("init", *(part for name, path in tables.items() for part in (f"--{name}", path)), cwd=folder)
    return folder


def test_init_begins_a_project_that_the_installed_package_reads(installed: Installed, tmp_path: Path) -> None:
    folder = begun(installed, tmp_path / "my_shop")
    code = (
        "import remora; from remora.settings import load; from remora.ingest.ingest import ingest;"
        "settings = load('remora.yaml'); lake = ingest(settings);"
        "print(remora.__file__); print(settings.name, lake.artifact.metadata['counts']['events']['accepted'])"
    )
    where, found = installed.python(["-c", code], folder).stdout.splitlines()[-2:]
    assert where.startswith(str(installed.folder))
    assert found == "my_shop 5000"


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.slow
def test_the_whole_path_runs_from_the_wheel(installed: Installed, tmp_path: Path) -> None:
    folder = begun(installed, tmp_path / "my_shop")
    settings = yaml.safe_load((folder / "remora.yaml").read_text())
    for section, values in SMALL.items():
        settings[section] = {**settings.get(section, {}), **values}
    port = free_port()
    settings["serving"]["port"] = port
    (folder / "remora.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))

    def remora(*arguments: str) -> str:
        return installed.remora(*arguments, cwd=folder).stdout

    try:
        ran = json.loads(remora("run", "--config", "remora.yaml", "--serve", "--json"))
        assert [step["name"] for step in ran["steps"]][-1] == "promote"
        slate = httpx.get(f"http://127.0.0.1:{port}/v1/recommend/7", params={"n": 5}, timeout=60).json()
        assert len(slate["items"]) == 5
        assert all(item["title"] for item in slate["items"])
        feast = ["-c", "from feast.cli.cli import cli; cli()"]
        for command in ("plan", "apply"):
            installed.python([*feast, command], folder / "feature_repo")
        applied = json.loads(remora("features", "apply", "--json"))
        assert "item_profile" in applied["views"]
        (job,) = (folder / "jobs").glob("run_step.py")
        done = installed.python([str(job), "ingest", "remora.yaml"], folder)
        assert json.loads(done.stdout.splitlines()[-1])["unchanged"]
    finally:
        remora("serve", "stop")
