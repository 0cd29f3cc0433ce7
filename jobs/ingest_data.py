"""Bring the tables of the settings to the lake: ray job submit ... -- python jobs/ingest_data.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.ingest.ingest import ingest
from remora.settings import load
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Ingest and print the lake's version and its row counts."""
    settings = load(config)
    connect(settings)
    lake = ingest(settings)
    print(json.dumps({"lake": lake.version, "counts": lake.artifact.metadata["counts"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
