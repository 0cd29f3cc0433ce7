from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from remora.core.feast_import import VARIABLES
from remora.wiring import child_processes

WAIT = [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read(); import signal; signal.pause()"]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_process_is_found_again_and_ended() -> None:
    started = child_processes.start("sleeper", WAIT, environment={}, facts={"url": "x"})
    assert child_processes.find("sleeper") == started
    assert child_processes.stop("sleeper")
    assert not psutil.pid_exists(started.pid) or not started.alive()
    assert child_processes.find("sleeper") is None
    assert not child_processes.stop("sleeper")


def test_what_has_lost_its_parent_is_ended_too() -> None:
    orphan = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'], "
    orphan += "start_new_session=True).pid, flush=True)"
    between = [
        sys.executable,
        "-c",
        f"import subprocess, sys, signal; subprocess.run([sys.executable, '-c', {orphan!r}]); ",
    ]
    between[-1] += "print('up', flush=True); signal.pause()"
    child_processes.start("parent", between, environment={}, facts={})
    while "up" not in child_processes.log_tail("parent"):
        pass
    pid = int(child_processes.log_tail("parent").splitlines()[0])
    assert psutil.Process(pid).ppid() == 1 or psutil.Process(pid).parent().pid != child_processes.find("parent").pid  # type: ignore[union-attr]
    assert child_processes.stop("parent")
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_later_process_with_the_same_id_is_left_alone() -> None:
    record = child_processes.FOLDER / "stranger.json"
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"name": "stranger", "pid": os.getpid(), "started": 1.0, "facts": {}}))
    assert child_processes.find("stranger") is None
    assert not child_processes.stop("stranger")


def test_a_process_inherits_no_folder_of_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.setenv(name, "/gone")
    command = [sys.executable, "-c", "import os; print(sorted(os.environ), flush=True)"]
    started = child_processes.start("teller", command, environment={"MARK": "1"}, facts={})
    os.waitpid(started.pid, 0)
    inherited = child_processes.log_tail("teller")
    assert "MARK" in inherited
    assert not [name for name in VARIABLES if name in inherited]
