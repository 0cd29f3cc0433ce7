"""Register the features with Feast: ray job submit ... -- python jobs/apply_features.py [CONFIG]."""

from __future__ import annotations

import json
import sys

from remora.features.store import apply
from remora.settings import load


def main(config: str | None = None) -> None:
    """Apply feature_repo/ and print the names that are registered."""
    print(json.dumps(apply(load(config))))


if __name__ == "__main__":
    main(*sys.argv[1:])
