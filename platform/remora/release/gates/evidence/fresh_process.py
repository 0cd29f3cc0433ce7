"""A bundle loaded in a process of its own, so that one that crashes it takes nothing else along.

Run as a program it is that process: the question comes as JSON on stdin, what memory grew by goes to stdout.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Protocol

from remora.registry.bundle import Bundle
from remora.release.gates.load import LoadResult
from remora.settings import Settings

MOST_SAID = 300
MIB = 1 << 20
THIS = (sys.executable, "-m", __name__)


class PendingLoad(Protocol):
    """A load that has begun."""

    def ended(self) -> LoadResult:
        """Wait, and say how it ended."""


StartLoading = Callable[[Bundle, Settings], PendingLoad]
"""Begins to load a bundle."""


@dataclass(frozen=True, kw_only=True)
class FreshProcess:
    """A process that loads; several can be at it at the same time."""

    process: subprocess.Popen[str]
    said: IO[str]
    started: float
    within_seconds: float

    @classmethod
    def start(cls, bundle: Bundle, settings: Settings, command: tuple[str, ...] = THIS) -> FreshProcess:
        """Begin to load; :meth:`ended` waits. ``command`` is what reads the question."""
        # A file and no pipe: the process is waited for before it is read, and a full pipe would stop it.
        said = TemporaryFile("w+")  # noqa: SIM115 it is closed when the process has ended
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            # A child does not inherit `sys.path`, on which this process may have found Remora.
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdin is not None
        question = {"settings": settings.model_dump(mode="json"), "folder": bundle.folder, "id": bundle.id}
        try:
            process.stdin.write(json.dumps(question))
            process.stdin.close()
        except BrokenPipeError:  # it is dead already, which its exit code tells
            pass
        return cls(process=process, said=said, started=started, within_seconds=settings.gates.load_timeout_seconds)

    def ended(self) -> LoadResult:
        """How it ended; it is ended when it takes too long."""
        left = self.started + self.within_seconds - time.monotonic()
        code: int | None
        try:
            code = self.process.wait(max(left, 0.0))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = None
        assert self.process.stdout is not None
        with self.process.stdout as out, self.said as said:
            growth = out.read().split()
            said.seek(0)
            last = said.read().strip()[-MOST_SAID:] if code != 0 else ""
        return LoadResult(
            code=code,
            seconds=round(time.monotonic() - self.started, 2),
            said=last,
            growth_mib=float(growth[-1]) if code == 0 and growth else None,
        )


def main() -> None:
    """Load the bundle, answer a request of each surface, and print by how many MiB this process has grown."""
    question = json.load(sys.stdin)
    import psutil

    from remora.core.home import Home
    from remora.surfaces.build import pipelines
    from remora.surfaces.responses import response_to
    from remora.surfaces.warmup_queries import warmup_queries
    from remora.wiring.bundle_contents import BundleContents

    settings = Settings.model_validate(question["settings"])
    bundle = Bundle.read(Home(settings.home), question["folder"], question["id"])
    process = psutil.Process()
    before = process.memory_info().rss
    context = BundleContents.load(bundle, settings).context
    surfaces = pipelines(context)
    for query in warmup_queries(context):
        slate = surfaces[query.surface].run(query)
        response_to(query, slate, context, bundle=bundle.id, variant="candidate").model_dump_json()
    # What loading has left behind is not what the bundle takes.
    gc.collect()
    grown = (process.memory_info().rss - before) / MIB
    print(f"\n{grown:.1f}")  # noqa: T201 this is the program's answer
    sys.stdout.flush()
    os._exit(0)  # without the interpreter's own clean-up: DuckDB's and FAISS's bindings print there, or crash


if __name__ == "__main__":
    main()
