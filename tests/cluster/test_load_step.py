"""More load brings more replicas, less load fewer, and no request fails on the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_replicas_follow_the_load_up_and_down_and_no_request_fails() -> None:
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    ran = subprocess.run(
        [sys.executable, "-m", "tests.cluster.load_step"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr[-4_000:]
    seen = json.loads(ran.stdout.strip().splitlines()[-1])
    assert set(seen["before"].values()) == set(seen["after"].values()) == {1}
    assert min(seen["at_most"]["Retriever"], seen["at_most"]["Ranker"]) > 1
    assert seen["failed"] == []
    assert seen["answers"] > 100
