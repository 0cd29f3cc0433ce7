"""Programs with clusters of their own, run from tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def printed(program: str) -> dict[str, Any]:
    """What ``python -m tests.cluster.<program>`` prints last, in a process that shares nothing with the session's."""
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled", "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}"}
    command = [sys.executable, "-m", f"tests.cluster.{program}"]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-4_000:]
    found: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return found
