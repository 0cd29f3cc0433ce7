"""On a cluster of three nodes: a load step, from one client to many and back; then a node is lost. Prints the replicas
and the answers.

Which of the deployments has the queue is not left to the machine: to find a user and to score take their time without
the processor, as where a store or a model answers from afar, so that a replica of either is full at a known rate.

A program of its own, so that the cluster of the test session is not touched: ``python -m tests.cluster.three_nodes``.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import polars as pl
from benchmarks.command import free_port
from benchmarks.faults.scenarios import details, outcome, running
from benchmarks.load import Load
from ray import serve
from ray.cluster_utils import Cluster
from tests.cluster.nodes import nodes
from tests.serving.small_shop import USERS, SmallShop, settings

from remora.pipeline import Candidates, Hydrator, Query, Scorer, Scores, StageContext
from remora.serving.app import assemble
from remora.wiring.cluster import environment

APP, N, MANY, FEW = "remora", 7, 48, 4
PATIENCE_SECONDS = 180.0
GROWN = ("Retriever", "Ranker")
FROM_AFAR_SECONDS = 0.2
SCALED = {"min_replicas": 1, "max_replicas": 3, "cpus_per_replica": 0.5, "downscale_delay_seconds": 5}
DOUBLE = {"min_replicas": 2, "max_replicas": 2, "max_replicas_per_node": 1, "cpus_per_replica": 0.4} | {
    "timeout_ms": 3_000,
    "max_timeout_ms": 3_000,
}


@dataclass(frozen=True)
class FromAfar:
    """Users or scores that come after a while."""

    near: Hydrator | Scorer

    def hydrate(self, query: Query) -> Query:
        threading.Event().wait(FROM_AFAR_SECONDS)
        return cast(Hydrator, self.near).hydrate(query)

    def score(self, query: Query, candidates: Candidates) -> Scores:
        threading.Event().wait(FROM_AFAR_SECONDS)
        return cast(Scorer, self.near).score(query, candidates)


class SlowShop(SmallShop):
    """The shop, with its users and its ranking model elsewhere."""

    def context(self, bundle: str) -> StageContext:
        near = super().context(bundle)
        return replace(near, scorer=FromAfar(near.scorer))

    def users(self, context: StageContext) -> Hydrator:
        return FromAfar(super().users(context))


def replicas() -> dict[str, int]:
    """How many of each deployment run."""
    return {deployment: len(pids) for deployment, pids in running(APP).items()}


def wait(load: Load, grown: bool) -> dict[str, int]:
    """Until retrieval and ranking have more replicas than one, or all deployments one again."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        load.wait_for(20)
        now = replicas()
        if all(now[d] > 1 for d in GROWN) if grown else set(now.values()) == {1}:
            return now
    raise TimeoutError(f"after {PATIENCE_SECONDS:.0f} s there are {replicas()}")


def stepped(url: str) -> dict[str, object]:
    """The step, with one client all along whose answers tell what a caller sees of it."""
    with Load(url, USERS, clients=1, n=N) as one:
        one.wait_for(20)
        before = replicas()
        with Load(url, USERS, clients=MANY, n=N) as many:
            at_most = wait(many, grown=True)
        after = wait(one, grown=False)
    answers = pl.concat([one.answers, many.answers])
    good = (pl.col("status") == 200) & (pl.col("items") == N)
    return {
        "before": before,
        "at_most": at_most,
        "after": after,
        "answers": len(answers),
        "failed": answers.filter(~good).group_by("status", "items").len().rows(),
        "degraded": answers.filter(good & (pl.col("said") != "")).height,
    }


def nodes_of_replicas() -> list[tuple[str, str, int]]:
    """Deployment, node and process of each replica."""
    deployments = details()["applications"][APP]["deployments"]
    return [(name, r["node_id"], r["pid"]) for name, found in deployments.items() for r in found["replicas"]]


def together() -> int:
    """The most replicas of one deployment on one node."""
    return max(Counter((deployment, node) for deployment, node, _ in nodes_of_replicas()).values())


@contextmanager
def without_a_node(cluster: Cluster) -> Iterator[set[int]]:
    """A node dies with all that runs there; these are the replicas among it. Never the one of Serve's own actors."""
    of_node = {node: {pid for _, at, pid in nodes_of_replicas() if at == node.node_id} for node in cluster.worker_nodes}
    node = max(of_node, key=lambda node: len(of_node[node]))
    for pid in of_node[node]:
        os.kill(pid, signal.SIGKILL)
    cluster.remove_node(node, allow_graceful=False)
    yield of_node[node]


def main() -> None:
    """Start the cluster, make the step, lose a node, end it."""
    behind = partial(environment, settings(proxy="haproxy"))
    with nodes(3, cpus=2, stores=100 << 20, head={"include_dashboard": False}, environment=behind) as cluster:
        port = free_port()
        serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
        url = f"http://127.0.0.1:{port}"
        patient = {"timeout_ms": 5_000, "max_timeout_ms": 5_000, "user_cache_ttl_seconds": 0}
        serve.run(assemble(SlowShop(settings(**patient, **SCALED)), "graph"), name=APP, route_prefix="/")
        seen = {"step": stepped(url)}
        serve.run(assemble(SmallShop(settings(**DOUBLE)), "graph"), name=APP, route_prefix="/")
        seen["together"] = together()
        fault = partial(without_a_node, cluster)
        seen["loss"] = outcome("a node is lost", fault, app=APP, under=Load(url, USERS, clients=FEW, n=N))._asdict()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
