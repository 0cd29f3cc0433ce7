"""Fill the online store: ray job submit ... -- python jobs/materialize_features.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.features.materialize import materialize
from remora.settings import load


def main(config: str | None = None) -> None:
    """Materialize and print the rows per view."""
    print(json.dumps(materialize(load(config))))


if __name__ == "__main__":
    main(*sys.argv[1:])
