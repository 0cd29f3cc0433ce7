"""A replica is given to requests after it answered some, and is healthy while one comes through."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tests.serving.small_shop import N_ITEMS, Regulars, SmallShop, regulars, settings

from remora.core.errors import NotReady
from remora.pipeline import Candidates, Hydrator, Query, Scores, StageContext
from remora.serving.replica import Replica
from remora.serving.warmup import MOST_ROUNDS, warm_up
from remora.surfaces.warmup_queries import HISTORIES, UNKNOWN_USER, warmup_queries


@dataclass
class Watched:
    """A hydrator that notes whom it was asked for."""

    users: Regulars
    asked: list[str | None]

    def hydrate(self, query: Query) -> Query:
        self.asked.append(query.user_id)
        return self.users.hydrate(query)


class Breaking:
    """A scorer that answers so many times."""

    def __init__(self, good: float) -> None:
        self.good = good

    def score(self, query: Query, candidates: Candidates) -> Scores:
        self.good -= 1
        if self.good < 0:
            raise ZeroDivisionError
        return np.zeros(len(candidates), np.float32)


@dataclass(frozen=True)
class BreakingShop(SmallShop):
    good: float = float("inf")
    asked: list[str | None] = field(default_factory=list)

    def context(self, bundle: str) -> StageContext:
        return replace(super().context(bundle), scorer=Breaking(self.good))

    def users(self, context: StageContext) -> Hydrator:
        return Watched(regulars(self.closed), self.asked)


def test_every_surface_is_warmed_up_with_every_length_of_history_and_fills_a_slate() -> None:
    loaded = SmallShop().load(with_users=False)
    found = warmup_queries(loaded.context)
    assert {(q.surface, len(q.history)) for q in found} == {
        (surface, min(length, N_ITEMS - 1)) for surface in loaded.surfaces for length in HISTORIES
    }
    for query in found:
        slate = loaded.run(query)
        assert len(slate.candidates) == (0 if len(query.history) == N_ITEMS - 1 else query.n)
        assert slate.degraded == ()


def test_the_store_is_asked_for_the_unknown_user_alone() -> None:
    shop = BreakingShop()
    warm_up(shop.load(), within_ms=float("inf"))
    assert set(shop.asked) == {UNKNOWN_USER}


def test_a_warmup_query_keeps_its_history_whatever_was_looked_up_before() -> None:
    loaded = SmallShop().load()
    for query in warmup_queries(loaded.context):
        hydrated = loaded.surfaces[query.surface].hydrate(query).query
        assert hydrated.history.tolist() == query.history.tolist()


def test_a_slow_machine_is_logged_and_serves(caplog: pytest.LogCaptureFixture) -> None:
    shop = BreakingShop()
    with caplog.at_level(logging.WARNING):
        warm_up(shop.load(), within_ms=0.0)
    assert [f"after {MOST_ROUNDS} rounds" in record.getMessage() for record in caplog.records] == [True]


def test_a_bundle_that_breaks_is_found_out_before_it_is_given_a_request() -> None:
    with pytest.raises(ZeroDivisionError):
        Replica(BreakingShop(good=2))


@pytest.mark.parametrize("closed", [False, True], ids=["store open", "store closed"])
def test_a_replica_is_healthy_whether_or_not_the_online_store_answers(closed: bool) -> None:
    shop = BreakingShop(closed=closed)
    worker = Replica(shop, with_users=True)
    assert set(shop.asked) == {UNKNOWN_USER}
    shop.asked.clear()
    asyncio.run(worker.check_health())
    assert shop.asked == []


def test_a_replica_whose_stages_break_is_not_healthy() -> None:
    worker = Replica(BreakingShop(settings=settings()))
    scorer: Any = worker.bundles.active.production.context.scorer
    scorer.good = 0
    with pytest.raises(ZeroDivisionError):
        asyncio.run(worker.check_health())


async def held(worker: Replica) -> tuple[threading.Event, list[asyncio.Task[bool]]]:
    """More work than the worker has threads, some of it begun, none of which ends before the event."""
    begun, let_go = threading.Event(), threading.Event()

    def waiting() -> bool:
        begun.set()
        return let_go.wait()

    requests = [asyncio.create_task(worker.threads.do(waiting)) for _ in range(20)]
    await asyncio.to_thread(begun.wait)
    return let_go, requests


def test_a_full_replica_is_healthy() -> None:
    async def full() -> None:
        worker = Replica(BreakingShop())
        let_go, requests = await held(worker)
        await worker.check_health()
        let_go.set()
        await asyncio.gather(*requests)
        assert worker.threads.longest_seconds() == 0.0

    asyncio.run(full())


def test_a_replica_with_a_thread_that_does_not_come_back_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hung() -> None:
        worker = Replica(BreakingShop())
        let_go, requests = await held(worker)
        monkeypatch.setattr("remora.serving.replica.HANGS_AFTER_SECONDS", 0.0)
        try:
            with pytest.raises(NotReady, match="same piece of work"):
                await worker.check_health()
        finally:
            let_go.set()
        await asyncio.gather(*requests)

    asyncio.run(hung())


def test_a_bundle_whose_answers_cannot_be_sent_does_not_get_through_its_warmup() -> None:
    loaded = SmallShop().load()
    vars(loaded.context.snapshot)["titles"] = [1984] * N_ITEMS
    with pytest.raises(ValidationError, match="title"):
        warm_up(loaded, within_ms=1e9)
