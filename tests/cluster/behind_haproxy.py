"""The app behind HAProxy: what listens where, what is answered, what it costs to replace or kill replicas; prints it.

A program of its own, because every Serve process reads the switches when its cluster starts:
``python -m tests.cluster.behind_haproxy``.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import polars as pl
import psutil
from benchmarks.command import free_port
from benchmarks.faults.scenarios import one_of
from benchmarks.load import Load
from tests.serving.small_shop import USERS, SmallShop, settings

from remora.serving.deploy import listen
from remora.wiring.cluster import connect

APP, N = "remora", 7


def listening() -> dict[str, list[str]]:
    """Addresses that HAProxy listens on, and the modes of its sockets in the file system."""
    proxies = [p for p in psutil.Process().children(recursive=True) if p.name() == "haproxy"]
    tcp = {c.laddr.ip for p in proxies for c in p.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    files = {str(c.laddr).split(".sock")[0] + ".sock" for p in proxies for c in p.net_connections("unix") if c.laddr}
    modes = {oct(os.stat(file).st_mode & 0o777) for file in files if os.path.exists(file)}
    return {"addresses": sorted(tcp), "modes": sorted(modes)}


def said(url: str) -> dict[str, Any]:
    """What is answered to requests of each kind."""
    with httpx.Client(base_url=url, timeout=60) as client:
        slates = {
            user: [item["item_id"] for item in client.get(f"/v1/recommend/{user}?n={N}").json()["items"]]
            for user in USERS
        }
        wrong = client.post("/v1/recommend", json={"user_id": "u1", "n": 0})
        named = client.get("/v1/recommend/u1", headers={"X-Request-Id": "mine"})
        return {
            "slates": slates,
            "wrong": [wrong.status_code, wrong.headers["content-type"]],
            "missing": client.get("/v1/similar/i99").status_code,
            "too_large": client.post("/v1/recommend", content=b" " * 300_000).status_code,
            "request_id": named.headers.get_list("X-Request-Id"),
            "ready": client.get("/readyz").json(),
        }


def during(url: str, happening: Callable[[], object]) -> dict[str, Any]:
    """What clients are answered while something happens."""
    with Load(url, USERS, clients=4, n=N) as load:
        load.wait_for(60)
        happening()
        load.wait_for(400)
    answers = load.answers
    failed = answers.filter((pl.col("status") != 200) | (pl.col("items") != N))
    return {"answers": len(answers), "failed": failed.select("status", "items", "said").rows()}


def main() -> None:
    """Start, look, end."""
    many = {"min_replicas": 2, "max_replicas": 2, "cpus_per_replica": 0.25, "proxy": "haproxy"}
    shop = SmallShop(settings(port=free_port(), **many))
    connect(shop.settings)
    import ray
    from ray import serve

    from remora.serving.app import assemble

    seen: dict[str, Any] = {}
    url = f"http://127.0.0.1:{shop.settings.serving.port}"
    try:
        listen(shop.settings)
        for topology in ("graph", "fused"):
            serve.run(assemble(shop, topology), name=APP, route_prefix="/")
            seen[topology] = said(url)
        seen["listening"] = listening()
        newer = assemble(replace(shop, bundle="newer"), "fused")
        seen["replaced"] = during(url, lambda: serve.run(newer, name=APP, route_prefix="/"))
        seen["killed"] = during(url, lambda: os.kill(one_of(APP, "Gateway"), signal.SIGKILL))
    finally:
        ray.shutdown()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
