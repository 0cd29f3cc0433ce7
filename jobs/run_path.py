"""The whole path as one job: ray job submit ... -- python jobs/run_path.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.cli import path
from remora.cli.progress import show_progress
from remora.settings import load
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Run every step and print one JSON line each."""
    show_progress()
    settings = load(config)
    connect(settings)
    for done in path.run(settings):
        print(json.dumps({"step": done.step.name, "seconds": round(done.seconds, 1), "unchanged": done.unchanged}))


if __name__ == "__main__":
    main(*sys.argv[1:])
