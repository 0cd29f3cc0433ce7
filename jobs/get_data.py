"""Fetch a public dataset: ray job submit ... -- python jobs/get_data.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.ingest.get import get
from remora.settings import load


def main(config: str | None = None) -> None:
    """Fetch what `data.get` names and print where it is."""
    print(json.dumps({"folder": get(load(config), print)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
