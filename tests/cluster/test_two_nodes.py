"""A training job, the app and the batch run unchanged on two nodes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
    }
    ran = subprocess.run(
        [sys.executable, "-m", "tests.cluster.two_nodes"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-4_000:]
    return json.loads(ran.stdout.strip().splitlines()[-1])


def test_there_are_two_nodes_and_the_graph_needs_both(seen: dict[str, Any]) -> None:
    assert seen["nodes"] == 2
    assert seen["graph"]["nodes"] == 2


@pytest.mark.parametrize("topology", ["graph", "fused"])
def test_the_app_is_ready_and_nothing_is_degraded(seen: dict[str, Any], topology: str) -> None:
    assert seen[topology]["ready"] == 200
    assert seen[topology]["degraded"] == []


def test_both_topologies_and_the_batch_give_the_same_slates(seen: dict[str, Any]) -> None:
    assert seen["graph"]["slates"] == seen["fused"]["slates"] == seen["batch"]
    assert all(len(slate) == 7 for slate in seen["batch"].values())


def test_the_towers_are_trained_by_workers_on_both_nodes(seen: dict[str, Any]) -> None:
    assert seen["training"] == {"items": 40, "workers": 3, "nodes": 2}
