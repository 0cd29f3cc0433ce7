"""The quickstart and the first rollout, command by command as the pages give them, on a small MovieLens."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.docs import small_movielens
from tests.docs.pages import ROOT, blocks

from remora.wiring.ports import free_port

pytestmark = pytest.mark.slow

QUICKSTART, ROLLOUT = (ROOT / "docs" / "tutorials" / name for name in ("quickstart.md", "first_rollout.md"))
INSTALLED = ("git clone", "make ", "source ")
"""What sets the checkout up, in which this test already runs."""

PLAN, SHORT = "shadow:1m,canary:20%:2m,full", "shadow:2s,canary:20%:2s,full"


def commands(page: Path) -> list[str]:
    """The lines after a prompt, but for the installation."""
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    given = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in given if not line.startswith(INSTALLED)]


@dataclass
class Terminal:
    """A shell in a folder like a checkout's, with ``remora`` on its path; keeps what each command printed."""

    folder: Path
    port: int
    bundle: str = ""
    printed: dict[str, str] = field(default_factory=dict)

    def run(self, command: str) -> None:
        """Run a command of a page to its end."""
        with self.begun(command) as process:
            out, errors = process.communicate()
        assert process.returncode == 0, f"{command}\n{out}\n{errors}"
        self.printed[command] = out

    @contextmanager
    def begun(self, command: str) -> Iterator[subprocess.Popen[str]]:
        """A command that runs meanwhile; what is left of it afterwards is ended."""
        words = command.replace("localhost:8000", f"localhost:{self.port}").replace(PLAN, SHORT)
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", re.sub(r"\bID\b", self.bundle, words)],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.communicate()

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("REMORA_")}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT / 'platform'}:{ROOT}",
        }


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """After both pages were followed from top to bottom; the endpoint is ended last, as the quickstart says."""
    shell = Terminal(tmp_path_factory.mktemp("checkout"), free_port(0))
    small_movielens.write(shell.folder, port=shell.port)
    *first, stop = commands(QUICKSTART)
    try:
        for command in first:
            shell.run(command)
        for command in (rest := iter(commands(ROLLOUT))):
            if command.startswith("remora rollout start"):
                roll_out(shell, command, traffic=next(rest))
            else:
                shell.run(command)
            if command == "remora bundle build":
                shell.bundle = re.findall(r"^Bundle (\w{32}):", shell.printed[command], re.MULTILINE)[0]
        yield shell
    finally:
        shell.run(stop)


def roll_out(shell: Terminal, start: str, traffic: str) -> None:
    """In two terminals, as the page says."""
    with shell.begun(traffic), shell.begun(start) as rollout:
        out, errors = rollout.communicate()
    assert rollout.returncode == 0, out + errors
    shell.printed[start] = errors  # progress, which is no result
    shell.run("remora rollout status")


def test_the_quickstart_ends_with_slates_and_addresses(terminal: Terminal) -> None:
    printed = terminal.printed[next(line for line in terminal.printed if line.startswith("remora run "))]
    shown = next(blocks(QUICKSTART, "text"))
    for line in shown[shown.index("endpoint ") :].splitlines():
        said = " ".join(line.replace(":8000", f":{terminal.port}").split())
        label, _, address = said.partition(" http")
        # Ray and MLflow take another port where theirs is taken.
        assert (label if address.endswith(("8265", "5000")) else said) in " ".join(printed.split())
    header = next(line for line in shown.splitlines() if "item" in line)
    assert re.sub(r"\W+", " ", header) in re.sub(r"[^\S\n]*[┃\n][^\S\n]*", " ", printed)


def test_the_slate_has_the_form_that_the_page_shows(terminal: Terminal) -> None:
    shown = json.loads(next(blocks(QUICKSTART, "json")))
    found = json.loads(terminal.printed[next(line for line in terminal.printed if line.startswith("curl "))])
    assert found.keys() == shown.keys()
    assert [item.keys() for item in found["items"]] == [item.keys() for item in shown["items"]]
    for name in ("surface", "variant", "degraded"):
        assert found[name] == shown[name]
    assert shown["timings_ms"].keys() <= found["timings_ms"].keys()


def test_the_commands_that_look_around_name_what_serves(terminal: Terminal) -> None:
    printed = {line.split("#")[0].strip(): out for line, out in terminal.printed.items()}
    assert "Film 100 for 196" in printed["remora explain 196 100"]
    assert "Gini" in printed["remora data report"]
    assert "RUNNING, ready" in printed["remora serve status"]
    assert "promote" in printed["remora runs"]


def test_the_candidate_differs_by_the_setting_that_was_changed_and_passes_its_gates(terminal: Terminal) -> None:
    changed: Any = terminal.printed["remora bundle diff production ID"]
    assert re.search(r"temperature\W+0\.1\W+0\.08", changed)
    assert "It passes." in terminal.printed["remora gate ID"]


def test_the_rollout_goes_through_its_stages_and_is_rolled_back(terminal: Terminal) -> None:
    told = terminal.printed[next(line for line in terminal.printed if line.startswith("remora rollout start"))]
    stages = [told.index(stage) for stage in ("shadow", "canary", "full", ": done")]
    assert stages == sorted(stages)
    assert "done at full" in terminal.printed["remora rollout status"]
    back = next(out for line, out in terminal.printed.items() if line.startswith("remora rollback"))
    assert f"production was {terminal.bundle} and is " in back
    history = terminal.printed["remora bundle history"]
    assert "rollback" in history
    assert terminal.bundle[:8] in history  # the table cuts an id to its width
