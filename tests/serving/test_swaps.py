"""A hundred times another bundle under load, both topologies: no failed request, and none answered by two bundles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from benchmarks.load import Load
from tests.serving.small_shop import USERS, SmallShop, Taste, settings

from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.control.traffic import Traffic, TrafficStore
from remora.core.home import Home
from remora.pipeline import Candidates, Query, Scores, StageContext

pytestmark = pytest.mark.slow

BUNDLES, SWAPS = ("b1", "b2", "b3"), 100
WAYS = ("fused", "graph")
REPLICAS = 5
"""One of the fused app, four of the graph."""


@dataclass(frozen=True)
class Marked:
    """Scores that tell of which bundle the ranker was."""

    taste: Taste
    mark: float

    def score(self, query: Query, candidates: Candidates) -> Scores:
        return self.taste.score(query, candidates) + self.mark


class MarkedShop(SmallShop):
    """Each bundle has scores of its own range, and titles that name it: they come from different phases."""

    def context(self, bundle: str) -> StageContext:
        whole = super().context(bundle)
        titles = [f"{title} of {bundle}" for title in whole.snapshot.titles]
        table = whole.snapshot.table
        column = table.column_names.index("item_profile__title")
        snapshot = replace(whole.snapshot, table=table.set_column(column, "item_profile__title", [titles]))
        mark = 1_000.0 * int(bundle[1:])
        scorer: Any = Marked(whole.scorer, mark)  # type: ignore[arg-type]
        return replace(whole, snapshot=snapshot, scorer=scorer)


@dataclass
class Apps:
    """Two apps that follow one home."""

    url: str
    home: Home

    def direct(self, traffic: Traffic) -> None:
        """Activate it and wait until every replica has it, with all that it names."""
        wanted = TrafficStore(self.home).publish(traffic)
        while True:
            statuses = list(ReplicaStatuses(self.home).read().values())
            if len(statuses) == REPLICAS and all(has(report, wanted) for report in statuses):
                return
            httpx.get(f"{self.url}/swapped_fused/healthz", timeout=60)


def has(report: ReplicaStatus, traffic: Traffic) -> bool:
    return report.revision == traffic.revision and set(traffic.bundles) <= set(report.ready)


@pytest.fixture(scope="module")
def apps(serve_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    from ray import serve

    from remora.serving.app import assemble

    home = Home(str(tmp_path_factory.mktemp("swapped")))
    TrafficStore(home).publish(Traffic(production=BUNDLES[0]))
    shop = MarkedShop(settings(home.url, traffic_poll_seconds=0.05, cpus_per_replica=0.05), bundle=BUNDLES[0])
    ways: list[Any] = [serve.RunTarget(assemble(shop, way), f"swapped_{way}", f"/swapped_{way}") for way in WAYS]  # type: ignore[arg-type]
    serve.run_many(ways)
    yield Apps(serve_url, home)
    for way in WAYS:
        serve.delete(f"swapped_{way}")


def test_a_hundred_swaps_under_load_fail_no_request(apps: Apps) -> None:
    with Load(f"{apps.url}/swapped_fused", USERS, clients=1, n=5) as fused:  # noqa: SIM117
        with Load(f"{apps.url}/swapped_graph", USERS, clients=1, n=5) as graph:
            for number in range(1, SWAPS + 1):
                production, previous = BUNDLES[number % 3], BUNDLES[(number - 1) % 3]
                apps.direct(Traffic(production=production, previous=previous))
                assert_whole(apps, production)
    for load in (fused, graph):
        assert len(load.answers) > SWAPS
        assert load.answers.filter((load.answers["status"] != 200) | (load.answers["said"] != "")).rows() == []


def assert_whole(apps: Apps, production: str) -> None:
    """Ask each app once: everything of the answer is of the bundle in production."""
    assert assert_answered(apps) == {production}


def assert_answered(apps: Apps) -> set[str]:
    """Ask each app once: everything of an answer is of one bundle. Returns the bundles."""
    bundles = set()
    for way in WAYS:
        answer = httpx.post(f"{apps.url}/swapped_{way}/v1/recommend", json={"user_id": "u3", "n": 5}, timeout=60).json()
        bundle = answer["bundle"]
        assert {item["title"].rpartition(" of ")[2] for item in answer["items"]} == {bundle}
        assert {round(item["score"] / 1_000) for item in answer["items"]} == {int(bundle[1:])}
        bundles.add(bundle)
    return bundles


def test_a_canary_gets_its_users_and_a_bundle_that_is_damaged_none(apps: Apps) -> None:
    from remora.control.traffic import Canary

    canary = Canary(bundle="b2", share=0.5, salt="s")
    apps.direct(Traffic(production="b1", canary=canary))
    for way in WAYS:
        for user in USERS:
            url = f"{apps.url}/swapped_{way}/v1/recommend/{user}"
            assert httpx.get(url, timeout=60).json()["variant"] == ("canary" if canary.includes(user) else "production")
    wanted = TrafficStore(apps.home).publish(Traffic(production="b1", loading=("nonsense",)))
    while True:
        statuses = list(ReplicaStatuses(apps.home).read().values())
        if all(report.revision == wanted.revision and "nonsense" in report.refused for report in statuses):
            break
        assert_answered(apps)  # by either bundle: a replica that has not read the change still has its canary
    assert_whole(apps, "b1")
    answered = [report.answers for report in statuses if report.deployment == "Gateway"]
    assert len(answered) == len(WAYS)
    assert all(counted["b2"].requests and not counted["b2"].failed for counted in answered)
