"""Make a bundle of the current models: ray job submit ... -- python jobs/build_bundle.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.settings import load
from remora.training.build_bundle import build
from remora.wiring.cluster import connect


def main(config: str | None = None) -> None:
    """Build and print the bundle's id and where it is."""
    settings = load(config)
    connect(settings)
    bundle = build(settings)
    print(json.dumps({"bundle": bundle.id, "folder": bundle.at()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
