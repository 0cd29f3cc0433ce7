"""Make the feature tables of the current lake: ray job submit ... -- python jobs/build_features.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.contracts.home import Home
from remora.features.build import build
from remora.ingest.lake import Lake
from remora.settings import load
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Build and print the version and the rows per view."""
    settings = load(config)
    connect(settings)
    built = build(settings, Lake.open(Home(settings.home)))
    print(json.dumps({"features": built.version, "rows": built.metadata["rows"]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
