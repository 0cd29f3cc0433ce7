"""Batch recommendations: ray job submit ... -- python jobs/recommend_all.py CONFIG OUT [N]."""

from __future__ import annotations

import json
import sys

from remora.serving.all_users import recommend_all_users
from remora.settings import load


def main(config: str, out: str, n: str = "10") -> None:
    """Write slates for all users and print where they are."""
    done = 0

    def advanced(users: int) -> None:
        nonlocal done
        done += users
        print(f"{done:,} users", flush=True)

    slates = recommend_all_users(load(config), out, n=int(n), advanced=advanced)
    print(
        json.dumps(
            {"path": slates.at("slates"), "users": slates.metadata["users"], "bundle": slates.metadata["bundle"]}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
