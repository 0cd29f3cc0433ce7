"""Runs a training job, the app in both topologies, and a batch, on a cluster of two nodes; prints what was seen.

A program of its own, so that the cluster of the test session is not touched: ``python -m tests.cluster.two_nodes``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import ray
from benchmarks.command import free_port
from ray import serve
from ray.util.state import list_actors
from tests.cluster.nodes import nodes
from tests.end_to_end.dataset import write
from tests.serving.small_shop import USERS, SmallShop, settings

from remora.core.home import Home
from remora.ingest.ingest import ingest
from remora.serving.app import assemble
from remora.serving.batch import recommend_all
from remora.settings import load
from remora.training.retrieval import train

CPUS_A_NODE = 2
CPUS_A_REPLICA = 0.75  # four of them do not fit one node


def serve_half(loader: SmallShop, address: str) -> dict[str, Any]:
    """Slates of both topologies, and on how many nodes their replicas ran."""
    port = free_port()
    # Two nodes of one machine cannot both have a proxy on one port.
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    seen: dict[str, Any] = {}
    for topology in ("graph", "fused"):
        serve.run(assemble(loader, topology), name="remora", route_prefix="/")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            ready = client.get("/readyz").status_code
            answers = [client.get(f"/v1/recommend/{user}", params={"n": 7}).json() for user in USERS]
        replicas = [
            a for a in list_actors(address=address, filters=[("state", "=", "ALIVE")]) if "ServeReplica" in a.class_name
        ]
        seen[topology] = {
            "ready": ready,
            "slates": {user: [i["item_id"] for i in a["items"]] for user, a in zip(USERS, answers, strict=True)},
            "degraded": [reason for answer in answers for reason in answer["degraded"]],
            "nodes": len({replica.node_id for replica in replicas}),
        }
    serve.shutdown()
    return seen


def batch_half(loader: SmallShop) -> dict[str, list[str]]:
    """The slates of a batch."""
    with tempfile.TemporaryDirectory() as out:
        made = recommend_all(loader, pa.array(USERS), Home(out), n=7)
        rows = pq.read_table(made.at("slates")).sort_by([("user_id", "ascending"), ("position", "ascending")])
        slates: dict[str, list[str]] = {}
        for row in rows.to_pylist():
            slates.setdefault(row["user_id"], []).append(row["item_id"])
        return slates


def train_half(address: str) -> dict[str, Any]:
    """The towers, trained by three workers, which do not fit one node beside their data."""
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder), people=60, things=40, events=1_500)
        settings = load(file, home=f"{folder}/home", retrieval={"epochs": 2, "dimension": 8, "workers": 3}, surfaces={})
        ingest(settings)
        metrics = train(settings).metadata["metrics"]
    workers = [a for a in list_actors(address=address, limit=1_000) if "RayTrainWorker" in a.class_name]
    return {"items": metrics["items"], "workers": len(workers), "nodes": len({a.node_id for a in workers})}


def main() -> None:
    """Start the cluster, run every half, end it."""
    head = {"include_dashboard": True, "dashboard_port": free_port()}
    with nodes(2, cpus=CPUS_A_NODE, stores=200 << 20, head=head) as cluster:
        loader = SmallShop(settings(cpus_per_replica=CPUS_A_REPLICA))
        seen = {
            "nodes": len([n for n in ray.nodes() if n["Alive"]]),
            **serve_half(loader, cluster.address),
            "batch": batch_half(loader),
            "training": train_half(cluster.address),
        }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
