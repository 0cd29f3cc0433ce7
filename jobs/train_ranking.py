"""Train the ranking model: ray job submit ... -- python jobs/train_ranking.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.settings import load
from remora.training.ranking import train
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Train and print the version and what was measured."""
    settings = load(config)
    connect(settings)
    trained = train(settings)
    print(json.dumps({"ranking": trained.version, "metrics": trained.metadata["metrics"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
