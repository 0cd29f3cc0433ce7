"""Served slates are logged beside the requests, come into the home, and drop rather than make anything wait."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from tests.events.memory import Memory
from tests.feedback.slates import AT, SOURCES, slate
from tests.ingest.shop import bring_shop

from remora.core.home import Home
from remora.events.collect import collect
from remora.events.from_settings import slate_log_of
from remora.events.slate_log import SlateLog
from remora.events.tables import SERVED, SLATES
from remora.ingest.sent_events import FOLDER


def test_what_is_served_is_logged_in_order_and_the_log_is_sealed_at_the_end() -> None:
    memory = Memory()
    log = SlateLog(memory)
    for number in range(50):
        log(slate(number))
    log.close()
    assert [json.loads(record)["request_id"] for record in memory.records] == [f"r{number}" for number in range(50)]
    assert memory.sealed


def test_what_a_slow_disk_cannot_take_is_dropped_and_counted_and_nothing_waits() -> None:
    memory, lost = Memory(), list[int]()
    memory.open.clear()
    log = SlateLog(memory, max_waiting=10, dropped=lost.append)
    for number in range(200):
        log(slate(number))
    memory.open.set()
    log.close()
    assert len(memory.records) + sum(lost) == 200
    assert 10 <= len(memory.records) <= 20


def test_what_a_full_disk_does_not_take_is_counted() -> None:
    memory, lost = Memory(), list[int]()
    memory.full = True
    log = SlateLog(memory, dropped=lost.append)
    log(slate())
    log.close()
    assert (memory.records, lost) == ([], [1])


@pytest.mark.parametrize("declared", [False, True])
def test_slates_come_into_the_home_and_where_the_type_is_declared_as_events_too(
    home_folder: Path, declared: bool
) -> None:
    types = {"purchase": {"sign": 1}, "cancel": {"sign": -1}} | ({SERVED: {"sign": 0}} if declared else {})
    shop = bring_shop(home_folder, event_types=types)
    log = slate_log_of(shop, lambda count: None)
    for one in (slate(), slate(served_at=AT.replace(second=1)), slate(2, user_id=None, fallback=True)):
        log(one)
    log.close()
    found = collect(shop)
    assert found.rows == {SLATES: 3} | ({FOLDER: 4} if declared else {})
    home = Home(shop.home)
    first = pl.read_parquet(home.at(f"{SLATES}/00000000.parquet")).to_dicts()[0]
    assert first == {
        "request_id": "r1", "served_at": AT, "user_id": "101", "surface": "home_feed", "bundle": "b",
        "variant": "production", "requested": 3, "context": '{"page": "home"}', "degraded": ["user_unknown: why"],
        "fallback": False, "total_ms": 4.25, "within_ms": 150.0,
        "predictions": [{"objective": "bought", "values": [0.25, 0.125]}],
        "feature_schema": None, "feature_instant": None, "features": None,
        "items": [
            {"item_id": "P1", "position": 1, "score": 0.5, "sources": SOURCES, "propensity": 1.0},
            {"item_id": "P2", "position": 2, "score": None, "sources": [], "propensity": 1.0},
        ],
    }  # fmt: skip
    if declared:
        events = pl.read_parquet(home.at(f"{FOLDER}/00000000.parquet"))
        assert events["event_id"].n_unique() == 4
        row = events.row(0, named=True)
        assert (row["event_type"], row["item_id"], row["position"], row["request_id"]) == (SERVED, "P1", 1, "r1")
        assert (row["propensity"], row["bundle"], row["variant"], row["event_timestamp"]) == (
            1.0,
            "b",
            "production",
            AT,
        )
