"""Search the towers' settings: ray job submit ... -- python jobs/tune_retrieval.py [CONFIG] [NAME]."""

from __future__ import annotations

import json
import sys

from remora.settings import load
from remora.training.tuning.retrieval import search
from remora.wiring.cluster import connect


def main(config: str | None = None, name: str = "latest") -> None:
    """Search and print what was best."""
    settings = load(config)
    connect(settings)
    found = search(settings, name)
    print(json.dumps({"search": name, "best": found.metadata["best"], "metrics": found.metadata["metrics"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
