"""Latency of one client over 500 requests, in both topologies: python -m benchmarks.latency.run (after `make demo`)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from benchmarks.known_users import known_users
from benchmarks.machine import machine

from remora.settings import load

REQUESTS, WARM_UP, ROUNDS = 500, 50, 3


def main() -> None:
    """Median of three rounds each; users in turn, keep-alive, ten items."""
    settings = load()
    users = known_users(settings)
    url = f"http://127.0.0.1:{settings.serving.port}"
    found: dict[str, Any] = {}
    for topology in ("graph", "fused"):
        subprocess.run([sys.executable, "-m", "remora.cli.main", "serve", "up", "--topology", topology], check=True)
        with httpx.Client(base_url=url, timeout=30) as client:
            _ask(client, users, WARM_UP)
            rounds = [_ask(client, users, REQUESTS) for _ in range(ROUNDS)]
        found[topology] = {
            name: float(np.median([np.percentile(r, q) for r in rounds]))
            for name, q in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99))
        }
    result = {"dataset": settings.name, "requests": REQUESTS, "rounds": ROUNDS, "items": 10, "latency": found}
    out = Path("benchmarks/results") / f"latency_{settings.name}.json"
    out.write_text(json.dumps(result | {"machine": machine()}, indent=1) + "\n")
    print(out.read_text())


def _ask(client: httpx.Client, users: list[str], requests: int) -> list[float]:
    """Milliseconds of each request; every answer must be a full slate without anything skipped."""
    spent = []
    for n in range(requests):
        start = time.perf_counter()
        answer = client.get(f"/v1/recommend/{users[n % len(users)]}", params={"n": 10})
        spent.append((time.perf_counter() - start) * 1e3)
        body = answer.json()
        assert answer.status_code == 200, answer.text
        assert len(body["items"]) == 10, body
    return spent


if __name__ == "__main__":
    main()
