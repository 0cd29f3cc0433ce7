"""A real process a command, without the seconds of its imports: forked from this one, which has imported them."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from importlib import import_module
from pathlib import Path

IMPORTED = (
    "remora.cli.main",
    "remora.workflow.path",
    "remora.workflow.run_recorder",
    "remora.release.gates.evidence.bundle_under_test",
    "remora.wiring.bundle_contents",
    "ray.data",
    "ray.train",
    "ray.tune",
    "mlflow",
    "sqlalchemy",
    "faiss",
    "xgboost",
)


def warm() -> None:
    """Import what the commands import."""
    from remora.wiring.cluster import quiet, use_token

    quiet()
    use_token()  # before anything imports Ray
    for name in IMPORTED:
        import_module(name)


class Command:
    """`remora` with some arguments, as a process that leads a group of its own."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.began = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(arguments, log)
        with contextlib.suppress(OSError):  # it may have done so, and ended
            os.setpgid(self.pid, self.pid)

    def wait(self, seconds: float) -> int | None:
        """The exit code, or None when it still runs after so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.seconds = time.monotonic() - self.began
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.005)

    def kill(self) -> None:
        """End the whole group by SIGKILL, whatever it is doing."""
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _become(arguments: list[str], log: Path) -> None:
    try:
        os.setpgid(0, 0)
        with log.open("a") as file:
            print(f"\n$ remora {' '.join(arguments)}", file=file, flush=True)
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        sys.argv = ["remora", *arguments]
        from remora.cli.main import main

        main()
    finally:
        os._exit(70)  # main leaves by itself; a child must never continue as the benchmark
