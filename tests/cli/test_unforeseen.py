"""Errors that nobody raised on purpose: a line for people, the trace in a file, an exit code of their own."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from remora.cli import main
from remora.cli.terminal import Terminal
from remora.cli.unforeseen import DEBUG
from remora.core.errors import RemoraError, UnreadableInput

Said = Callable[[BaseException], tuple[int, str]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Said:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.delenv(DEBUG, raising=False)

    def run(error: BaseException) -> tuple[int, str]:
        def app() -> None:
            raise error

        page = io.StringIO()
        monkeypatch.setattr(main, "app", app)
        monkeypatch.setattr(main, "console", Terminal(file=page, width=4_000))
        return main._run(), page.getvalue()

    return run


def test_a_fault_is_one_line_and_its_trace_is_in_a_file_of_its_owner(said: Said, tmp_path: Path) -> None:
    code, line = said(KeyError("\x1b[31m[/b]"))
    assert code == main.UNFORESEEN
    assert line.count("\n") == 1
    assert "Unexpected KeyError" in line
    assert "\x1b" not in line
    (trace,) = tmp_path.glob("remora-trace-*.txt")
    assert str(trace) in line
    assert "Traceback" in trace.read_text()
    assert trace.stat().st_mode & 0o777 == 0o600


def test_what_the_system_refuses_is_said_with_its_path(said: Said) -> None:
    code, line = said(PermissionError(13, "Permission denied", "/data/x"))
    assert code == main.UNFORESEEN
    assert "/data/x" in line
    assert "Traceback" not in line


def test_an_error_of_remora_is_found_in_what_a_library_made_of_it(said: Said) -> None:
    class TaskError(Exception):
        def __init__(self, cause: Exception) -> None:
            super().__init__("task failed " + "x" * 10_000)
            self.cause = cause

    error: Exception = TaskError(UnreadableInput("a.csv", "truncated"))
    code, line = said(error)
    assert (code, "UnreadableInput" in line, "a.csv" in line) == (3, True, True)
    wrapped = RuntimeError("training failed")
    wrapped.__cause__ = error
    assert said(wrapped)[0] == 3


def test_every_error_of_the_tree_has_a_code(said: Said) -> None:
    assert said(RemoraError("no"))[0] == 1


def test_the_trace_is_printed_on_demand(
    said, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DEBUG, "1")
    said(ZeroDivisionError("x"))
    assert "Traceback" in capsys.readouterr().err


def test_a_message_of_many_lines_is_shown_by_its_first(said: Said) -> None:
    assert said(ValueError("first\nsecond\n" * 100))[1].count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_terminal_of_any_encoding_gets_the_message(tmp_path: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "HTTP_PROXY": "http://127.0.0.1:9", "LC_ALL": "C"}
    command = [sys.executable, "-m", "remora.cli.main", "data", "report", "--config", "東京/söck.yaml"]
    out = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert out.returncode == 2, out.stderr
    assert b"There is no settings file" in out.stderr
    assert b"Traceback" not in out.stderr
