"""What was said to be taken is there after a kill at any instant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def kill(folder: Path, kills: int) -> dict[str, object]:
    command = [sys.executable, "-m", "tests.events.killed_takers", str(folder), str(kills), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_no_accepted_event_is_lost_by_two_hundred_kills(tmp_path: Path) -> None:
    found = kill(tmp_path, 200)
    assert found["lost"] == []
    assert int(str(found["accepted"])) > 1_000
