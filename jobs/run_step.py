"""One step of the path: ray job submit ... -- python jobs/run_step.py STEP [CONFIG] [NAME=VALUE ...]."""

from __future__ import annotations

import json
import sys

from remora.cli.progress import show_progress
from remora.settings import load
from remora.wiring.cluster import connect
from remora.workflow import path


def main(step: str, *rest: str) -> None:
    """Run a step (train-retrieval, tune-ranking model=network name=mine, …) and print what it made."""
    show_progress()
    options = dict(one.split("=", 1) for one in rest if "=" in one)
    chosen = path.step_named(step, **options)
    settings = load(*[one for one in rest if "=" not in one])
    connect(settings)
    done = path.run_step(chosen, settings)
    said = {"step": done.step.name, "seconds": round(done.seconds, 1), "unchanged": done.unchanged}
    print(json.dumps(said | path.described(done.result), default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
