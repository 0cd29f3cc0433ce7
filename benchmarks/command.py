"""What commands of benchmarks have in common: they say what they do, measure themselves, and write one result."""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.memory import measured
from rich.console import Console

from remora.core.errors import RemoraError

Note = Callable[[str], None]
Result = dict[str, Any]


def common_options(about: str | None) -> argparse.ArgumentParser:
    """What every command takes; ``about`` is its module's docstring, whose first line is shown."""
    parser = argparse.ArgumentParser(description=(about or "").strip().split("\n")[0])
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser


def free_port() -> int:
    """A port of the loopback interface that no process listens on."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def carried_out(
    name: str,
    work: Callable[[Path, Note], Result],
    *,
    facts: Result,
    out: Path | None,
    as_json: bool,
    draw: Callable[[Console, Result], None],
) -> None:
    """Do the ``work`` in a folder of its own; write the result to ``out``, and print it or draw it.

    Exits with 2 and the message where the work refuses its data.
    """
    stderr = Console(stderr=True)

    def note(what: str) -> None:
        stderr.print(f"{datetime.now(UTC):%H:%M:%S} {what}", highlight=False, soft_wrap=True)

    try:
        with (
            tempfile.TemporaryDirectory(prefix=f"remora-{name}-") as folder,
            redirect_stdout(sys.stderr),  # Ray prints what its processes say, and the output is the result's
            measured() as usage,
        ):
            found = work(Path(folder), note)
    except RemoraError as error:
        stderr.print(str(error), highlight=False, soft_wrap=True)
        raise SystemExit(2) from error
    result = {
        "benchmark": name,
        **facts,
        **found,
        "wall_seconds": round(usage.wall_seconds, 1),
        "peak_gib": round(usage.peak_bytes / (1 << 30), 2),
        "machine": machine(),
    }
    text = json.dumps(result, indent=1)
    if out:
        out.write_text(text + "\n")
    if as_json:
        print(text)
    else:
        draw(Console() if sys.stdout.isatty() else Console(width=160), result)
