"""More load brings more replicas, less load fewer; a node may be lost; and no request fails on the way."""

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
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.cluster.three_nodes"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-4_000:]
    return json.loads(ran.stdout.strip().splitlines()[-1])


def test_replicas_follow_the_load_up_and_down_and_no_request_fails(seen: dict[str, Any]) -> None:
    step = seen["step"]
    assert set(step["before"].values()) == set(step["after"].values()) == {1}
    assert min(step["at_most"]["Retriever"], step["at_most"]["Ranker"]) > 1
    assert step["failed"] == []
    assert step["answers"] > 100


def test_a_node_is_lost_and_nobody_goes_without_a_slate(seen: dict[str, Any]) -> None:
    assert seen["loss"]["failed"] == 0, seen["loss"]
    assert seen["loss"]["answers"] > 200
