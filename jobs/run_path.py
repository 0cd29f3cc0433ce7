"""The whole path as one job: ray job submit ... -- python jobs/run_path.py [CONFIG] [--since last] [--by NAME]."""

from __future__ import annotations

import argparse
import json

from remora.cli.progress import show_progress
from remora.settings import load
from remora.wiring.cluster import connect
from remora.workflow import path
from remora.workflow.run_recorder import recorded_run


def main(config: str | None = None, *, since: str | None = None, by: str = "a job") -> None:
    """Run every step and print one JSON line each; with ``since`` none after an ingest that found nothing new."""
    show_progress()
    settings = load(config)
    with recorded_run(settings, by=by, since=since) as run:
        connect(settings)
        for done in run.through(path.run(settings, since_last=since is not None, begun=run.begun)):
            print(json.dumps({"step": done.step.name, "seconds": round(done.seconds, 1), "unchanged": done.unchanged}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?")
    parser.add_argument("--since", choices=["last"])
    parser.add_argument("--by", default="a job")
    main(**vars(parser.parse_args()))
