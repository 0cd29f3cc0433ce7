"""Rollouts under load on a real app: a good bundle becomes production, a planted one is stopped where it should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import pytest
from benchmarks.load import Load
from tests.registry import releases
from tests.release.rollout import planted
from tests.release.rollout.planted import MANY, PlantedShop, Proof
from tests.serving.small_shop import settings

from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.control.traffic import Canary, Traffic
from remora.registry.bundles import Bundles
from remora.release.rollout.controller import Controller
from remora.release.rollout.plan import Plan
from remora.release.rollout.start import controller_lock, start_rollout
from remora.release.rollout.state import Rollout, Status
from remora.settings import Settings

pytestmark = pytest.mark.slow

N, CLIENTS, BETWEEN_LOOKS = 5, 4, 20
GOOD, DEFECTS = "good", (planted.REVERSED, planted.SLOW, planted.OF_ANOTHER, planted.CRASHES, planted.UNSCORED)
PLAN = "shadow:3s,canary:20%:3s,ramp:50%:3s,full"
CAREFUL = "shadow:10m,canary:20%:10m,full"
"""What harms is found long before a step is over."""


@dataclass(frozen=True)
class World:
    """An app that follows a home's registry, and the bundles by what is wrong with them."""

    url: str
    settings: Settings
    bundles: Bundles
    ids: dict[str, str]
    shop: PlantedShop

    @property
    def production(self) -> str:
        """What is in production now."""
        return self.bundles.resolve("production")

    def load(self) -> Load:
        """Clients that wait for their answers."""
        return Load(f"{self.url}/rolled", MANY, clients=CLIENTS, n=N)


@pytest.fixture(scope="module")
def world(serve_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from ray import serve

    from remora.serving.app import assemble

    home = tmp_path_factory.mktemp("rolled")
    chosen = settings(
        str(home), timeout_ms=1_000, max_timeout_ms=3_000, traffic_poll_seconds=0.1, min_replicas=2, max_replicas=2
    )
    rollout = {"poll_seconds": 0.1, "min_requests": 100, "bake_seconds": 3, "margins": {"unscored": 0.001}}
    chosen = Settings.model_validate(chosen.model_dump() | {"rollout": rollout})
    bundles = Bundles(chosen)
    ids = {name: releases.build(bundles, name.encode()).id for name in ("first", GOOD, *DEFECTS)}
    bundles.promote(ids["first"], by="test", why="the first")
    shop = PlantedShop(chosen, bundle=ids["first"], defects={ids[name]: name for name in DEFECTS})
    serve.run(assemble(shop, "fused"), name="rolled", route_prefix="/rolled")
    yield World(serve_url, chosen, bundles, ids, shop)
    serve.delete("rolled")


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended, and every answer that was given meanwhile."""

    rollout: Rollout
    answers: pl.DataFrame


def carried_out(world: World, name: str, plan: str) -> Outcome:
    with controller_lock(world.settings), world.load() as load:
        load.wait_for(200)
        start_rollout(
            world.bundles, bundle=world.ids[name], plan=Plan.parse(plan), by="test", why=name, now=datetime.now(UTC)
        )
        controller = Controller(world.settings, preflight=Proof(world.shop), bundles=world.bundles)
        ended = controller.run(rest=lambda seconds: load.wait_for(BETWEEN_LOOKS))
        load.wait_for(100)
    return Outcome(ended, load.answers)


def failed(answers: pl.DataFrame) -> list[tuple[object, ...]]:
    return answers.filter((pl.col("status") != 200) | (pl.col("items") < N)).rows()


def stages(rollout: Rollout) -> list[str]:
    return [f"{entry.stage} {entry.what}" for entry in rollout.journal]


def outside_of_the_canary(answers: pl.DataFrame, bundle: str, share: float, salt: str) -> list[str]:
    canary = Canary(bundle=bundle, share=share, salt=salt)
    return [user for user in answers.filter(pl.col("bundle") == bundle)["user"].unique() if not canary.includes(user)]


@pytest.mark.parametrize(
    ("defect", "plan", "found_by"),
    [
        (planted.CRASHES, CAREFUL, "exit code 11"),
        (planted.OF_ANOTHER, CAREFUL, "different bundles"),
        (planted.REVERSED, CAREFUL, "different"),
        (planted.SLOW, CAREFUL, "latency"),
        (planted.UNSCORED, CAREFUL, "unscored"),
    ],
)
def test_a_planted_bundle_is_stopped_before_any_user_gets_it(
    world: World, defect: str, plan: str, found_by: str
) -> None:
    before = world.production
    outcome = carried_out(world, defect, plan)
    assert outcome.rollout.status is Status.ROLLED_BACK, stages(outcome.rollout)
    assert found_by in "; ".join(outcome.rollout.journal[-1].why + outcome.rollout.journal[-2].why)
    assert failed(outcome.answers) == []
    assert outcome.answers["bundle"].unique().to_list() == [before]
    assert alone(world.bundles.traffic(), before)


def test_a_slow_bundle_without_a_shadow_reaches_no_more_than_the_canary(world: World) -> None:
    before, slow = world.production, world.ids[planted.SLOW]
    outcome = carried_out(world, planted.SLOW, "canary:20%:10m,full")
    assert outcome.rollout.status is Status.ROLLED_BACK, stages(outcome.rollout)
    assert failed(outcome.answers) == []
    assert outside_of_the_canary(outcome.answers, slow, 0.2, outcome.rollout.id) == []
    assert len(outcome.answers.filter(pl.col("bundle") == slow)) > 0
    assert set(outcome.answers[-20:]["bundle"]) == {before}


def test_a_good_bundle_goes_from_shadow_to_canary_to_all_and_can_be_rolled_back(world: World) -> None:
    before, good = world.production, world.ids[GOOD]
    outcome = carried_out(world, GOOD, PLAN)
    assert outcome.rollout.status is Status.DONE, (stages(outcome.rollout), outcome.rollout.journal[-2:])
    assert failed(outcome.answers) == []
    assert set(outcome.answers["bundle"]) == {before, good}
    assert set(outcome.answers[-20:]["bundle"]) == {good}
    traffic = world.bundles.traffic()
    assert (traffic.production, traffic.previous, traffic.canary, traffic.shadow) == (good, before, None, None)
    assert world.bundles.history()[-1].evidence
    with world.load() as load:
        load.wait_for(100)
        world.bundles.rollback(by="test", why="as if it were bad")
        load.wait_for(600)
    assert failed(load.answers) == []
    assert set(load.answers[-20:]["bundle"]) == {before}


def test_a_bundle_without_preflight_that_ends_its_process_ends_one_replica_and_is_rolled_back(
    world: World,
) -> None:
    before, crashing = world.production, world.ids[planted.CRASHES]
    with world.load() as load:
        load.wait_for(100)
        world.bundles.promote(crashing, by="test", why="forced")
        statuses: list[ReplicaStatus] = []
        while not any(crashing in report.refused for report in statuses):
            load.wait_for(BETWEEN_LOOKS)
            statuses = list(ReplicaStatuses(world.bundles.home).read().values())
        world.bundles.rollback(by="test", why="it ends replicas")
        load.wait_for(300)
    assert set(load.answers["bundle"].unique()) <= {before, ""}
    assert len(failed(load.answers)) <= CLIENTS  # what the replica that died held
    assert world.bundles.traffic().production == before


def alone(traffic: Traffic, production: str) -> bool:
    tried = (traffic.canary, traffic.shadow, traffic.loading)
    return traffic.production == production and tried == (None, None, ())
