"""The point-in-time join scales out: three nodes, each with less memory than the data, give the right rows."""

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
        [sys.executable, "-m", "tests.cluster.far_join"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-4_000:]
    return json.loads(ran.stdout.strip().splitlines()[-1])


def test_the_rows_are_more_than_the_object_stores_hold(seen: dict[str, Any]) -> None:
    assert seen["bytes"] > seen["stores"]


def test_every_node_took_part(seen: dict[str, Any]) -> None:
    assert seen["nodes"] == 3


def test_every_row_is_there_and_right(seen: dict[str, Any]) -> None:
    assert seen["rows"] == 300_000
    assert seen["same_rows"]
    assert seen["same_values"]
