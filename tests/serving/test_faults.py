"""While requests come in, parts of the app die or hang: callers get full slates, and the app is whole again.

Few clients that wait for their answers, not a fixed rate: a machine too slow for the rate would be overloaded, and then
requests are refused, as they should be.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from benchmarks.load import Load
from tests.serving.small_shop import USERS, SmallShop, settings

pytestmark = pytest.mark.slow

N, CLIENTS = 5, 4


@pytest.fixture(scope="module")
def sturdy(serve_url: str) -> Iterator[str]:
    """An app of each topology with two replicas of everything, under 150 ms a request; below it are their names."""
    from ray import serve

    from remora.serving.app import assemble

    few = {"min_replicas": 2, "max_replicas": 2, "cpus_per_replica": 0.05}
    shop = SmallShop(settings(timeout_ms=150, max_timeout_ms=3_000, **few))
    serve.run_many(
        [
            serve.RunTarget(assemble(shop, "fused"), name="sturdy_fused", route_prefix="/sturdy_fused"),
            serve.RunTarget(assemble(shop, "graph"), name="sturdy_graph", route_prefix="/sturdy_graph"),
        ]
    )
    yield serve_url
    for name in ("sturdy_fused", "sturdy_graph"):
        serve.delete(name)


def load(url: str, app: str) -> Load:
    """Of the clients."""
    return Load(f"{url}/{app}", USERS, clients=CLIENTS, n=N)


@pytest.mark.parametrize(("deployment", "how"), [("Retriever", "killed"), ("Filter", "frozen"), ("Ranker", "killed")])
def test_a_phase_of_the_graph_is_lost_and_each_request_gets_a_slate(sturdy: str, deployment: str, how: str) -> None:
    from benchmarks.faults import scenarios

    fault = scenarios.faults("sturdy_graph")[f"{deployment}: one replica {how}"]
    seen = scenarios.outcome(deployment, fault, app="sturdy_graph", under=load(sturdy, "sturdy_graph"))
    assert seen.failed == 0, seen


def test_the_controller_is_lost_and_no_request_fails(sturdy: str) -> None:
    from benchmarks.faults import scenarios

    fault = scenarios.controller_killed
    for app in ("sturdy_fused", "sturdy_graph"):
        seen = scenarios.outcome("controller", fault, app=app, under=load(sturdy, app))
        assert seen.failed == 0, seen
