"""Rows with features as of their instants: ray job submit ... -- python jobs/build_training_set.py CONFIG ROWS OUT."""

from __future__ import annotations

import sys

from remora.features.offline import training_set
from remora.features.store import open_store
from remora.settings import load
from remora.wiring.cluster import connect


def main(config: str, rows: str, out: str, service: str = "ranking") -> None:
    """Write the training set and print its report."""
    settings = load(config)
    connect(settings)
    print(training_set(open_store(settings), rows, service, out).model_dump_json())


if __name__ == "__main__":
    main(*sys.argv[1:])
