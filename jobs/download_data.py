"""Fetch a public dataset: ray job submit ... -- python jobs/download_data.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.ingest.download import download
from remora.settings import load


def main(config: str | None = None) -> None:
    """Fetch what `data.dataset` names and print where it is."""
    print(json.dumps({"folder": download(load(config), print)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
