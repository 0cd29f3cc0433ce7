"""Background processes of this checkout: started once, found again, ended by their own id and no other."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from remora.core.feast_import import cleared
from remora.core.json_document import parse_document

FOLDER = Path(".remora/processes")

MARK = "REMORA_CHILD"
"""Variable that a process and all that it starts have in their environment."""


@dataclass(frozen=True, kw_only=True)
class ChildProcess:
    """A process that this checkout started. ``started`` (epoch seconds) tells it from a later one with its id.

    ``mark`` is what it and its descendants have as :data:`MARK`, by which those are found whose parents have ended.
    """

    name: str
    pid: int
    started: float
    facts: dict[str, str]
    mark: str = ""

    def alive(self) -> bool:
        """Is it still that process, and not a zombie?"""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def find(name: str) -> ChildProcess | None:
    """The running process of that name, if there is one; UnreadableInput where its record is damaged."""
    record = FOLDER / f"{name}.json"
    if not record.exists():
        return None
    hint = f"If a {name} of this checkout still runs, end it by its process id; then remove the file."
    running = parse_document(record.read_bytes(), str(record), ChildProcess, hint)
    return running if running.alive() else None


def start(
    name: str,
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    facts: dict[str, str],
    keep_open: Sequence[int] = (),
) -> ChildProcess:
    """Start a command in a session of its own; its output goes to ``.remora/processes/<name>.log``.

    The output of the time before is in ``<name>.log.1``, so two of them are kept. ``keep_open`` are file descriptors
    that the process gets too. The environment is this process's with ``environment``, without Feast's variables.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    output = FOLDER / f"{name}.log"
    if output.exists():
        os.replace(output, FOLDER / f"{name}.log.1")
    mark = secrets.token_hex(16)
    whole = {**os.environ, **environment, MARK: mark}
    cleared(whole)
    with output.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=whole,
            # A session of its own: Ctrl-C in the terminal ends the command and not what it started.
            start_new_session=True,
            pass_fds=keep_open,
        )
    started = psutil.Process(process.pid).create_time()
    running = ChildProcess(name=name, pid=process.pid, started=started, facts=facts, mark=mark)
    aside = FOLDER / f"{name}.json.{process.pid}"
    # Written aside, so that no other command reads half of it.
    aside.write_text(json.dumps(asdict(running)))
    os.replace(aside, FOLDER / f"{name}.json")
    return running


def link(name: str, folder: str) -> None:
    """Have ``.remora/processes/<name>`` lead to a folder: a fixed name, in a place that is the user's own."""
    aside = FOLDER / f"{name}.{os.getpid()}"
    aside.unlink(missing_ok=True)
    aside.symlink_to(folder)
    os.replace(aside, FOLDER / name)


def stop(name: str, *, patience_seconds: float = 20) -> bool:
    """End a process and what it started; asks first, then insists. False when it was not running."""
    running = find(name)
    (FOLDER / f"{name}.json").unlink(missing_ok=True)
    if running is None:
        return False
    # Listed before the signal: a child whose parent has ended is not found by it any more.
    tree = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(tree, timeout=patience_seconds)
    for process in stubborn:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(stubborn, timeout=patience_seconds)
    # What was started after the listing, as HAProxy again for one that had just died, has lost its parent by now.
    while running.mark and (left := _marked(running.mark)):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=patience_seconds)
    return True


def _marked(mark: str) -> list[psutil.Process]:
    """Processes that have the mark of a process in their environment, this one not."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                found.append(process)
    return found


def log_tail(name: str, lines: int = 20) -> str:
    """The end of what the process printed."""
    log = FOLDER / f"{name}.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
