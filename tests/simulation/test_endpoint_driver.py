"""Simulated users against the real app: they get slates, and the intake takes what they do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from tests.events.memory import Memory
from tests.serving.small_shop import N_ITEMS, USERS, SmallShop
from tests.serving.test_routes import Front

from remora.core.errors import BadRequest, NotReady
from remora.events.contract import EventContract
from remora.events.intake import Intake
from remora.serving.routes import application
from remora.simulation.endpoint_driver import MAX_FAILURES, EndpointDriver
from remora.simulation.simulated_events import SimulatedEvents
from remora.simulation.world import World
from remora.simulation.world_settings import WorldSettings

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


class Time:
    """A clock that moves while its owner rests, and a little whenever it is read."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def rest(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Setting:
    """The small shop's app with an intake over a log in memory, and a driver of it."""

    def __init__(self, **world: Any) -> None:
        self.log, self.time = Memory(), Time()
        shop = SmallShop()
        self.intake = Intake(self.log, EventContract.of(shop.settings.data), clock=lambda: self.time.now)
        self.client: httpx.Client = TestClient(application(Front(shop), self.intake), raise_server_exceptions=False)
        self.world = small_world(**world)

    def driver(
        self, client: httpx.Client | None = None, surface: str = "home_feed", *, timed: bool = True
    ) -> EndpointDriver:
        events = SimulatedEvents(self.world, click="buy")
        of = client or self.client
        times = {"clock": self.time, "rest": self.time.rest, "timed": timed}
        return EndpointDriver(of, self.world, events, surface=surface, n=5, **times)  # type: ignore[arg-type]


def small_world(**changes: Any) -> World:
    """The shop's own users and items."""
    chosen = {"appeal": 0.5, "repeat": 0.0, "bot_fraction": 0.0, "late_fraction": 0.0, "duplicate_fraction": 0.0}
    settings = WorldSettings(users=len(USERS), items=N_ITEMS, **(chosen | changes))
    return World(settings, user_ids=USERS, item_ids=[f"i{row:02}" for row in range(N_ITEMS)])


@pytest.fixture
def setting() -> Iterator[Setting]:
    found = Setting()
    with closing(found.intake):
        yield found


def test_requests_are_made_at_the_rate_and_events_reach_the_log(setting: Setting) -> None:
    driver = setting.driver()
    assert list(driver.drive(30.0, 2.0)) == list(range(1, 61))
    found = driver.summary.as_json()
    assert found["requests"] == 60
    assert found["failures"] == {}
    assert found["events"] == {"accepted": len(setting.log.events)}
    assert len(setting.log.events) > 30
    assert sum(driver.summary.clicked.values()) == len(setting.log.events) + found["unsent"]
    assert found["p50_ms"] > 0


def test_over_historical_data_events_happen_when_the_endpoint_gets_them() -> None:
    setting = Setting()
    long_ago = START - timedelta(days=9_000)
    contract = EventContract.of(SmallShop().settings.data)
    with closing(Intake(Memory(), contract, clock=lambda: long_ago)) as intake:
        client = TestClient(application(Front(SmallShop()), intake), raise_server_exceptions=False)
        for timed, verdict in ((True, "quarantined"), (False, "accepted")):
            driver = setting.driver(client, timed=timed)
            list(driver.drive(30.0, 2.0))
            assert set(driver.summary.verdicts) == {verdict}
    setting.intake.close()


def test_events_name_the_request_and_place_of_their_slate(setting: Setting) -> None:
    driver = setting.driver()
    list(driver.drive(30.0, 2.0))
    for event in setting.log.events:
        assert event["surface"] == "home_feed"
        assert 1 <= event["position"] <= 5
        assert event["user_id"] in USERS
        assert event["session_id"].startswith("simulated-")
        assert event["event_id"] == f"{event['request_id']}-{event['position']}-buy"
    sessions = Counter(event["session_id"] for event in setting.log.events)
    assert max(sessions.values()) > 1


def test_an_event_that_is_delivered_twice_is_a_duplicate() -> None:
    setting = Setting(duplicate_fraction=1.0)
    with closing(setting.intake):
        driver = setting.driver()
        list(driver.drive(300.0, 0.2))
    assert driver.summary.verdicts["duplicate"] > 0.5 * driver.summary.verdicts["accepted"] > 5


def test_what_the_log_cannot_take_is_sent_again(setting: Setting) -> None:
    driver = setting.driver()
    run = driver.drive(40.0, 2.0)
    setting.log.full = True
    for _ in range(4):
        next(run)
    setting.log.full = False
    list(run)
    assert driver.summary.failures["events not taken"] > 0
    assert sum(driver.summary.clicked.values()) == len(setting.log.events) + driver.summary.unsent


def test_an_endpoint_without_an_intake_is_named(setting: Setting) -> None:
    client: httpx.Client = TestClient(application(Front(SmallShop())))
    with pytest.raises(NotReady, match=r"takes no events.*events\.intake"):
        next(setting.driver(client).drive(10.0, 1.0))


def test_an_endpoint_that_does_not_answer_is_named(setting: Setting) -> None:
    with httpx.Client(base_url="http://127.0.0.1:9") as client, pytest.raises(NotReady, match="Nothing answers at"):
        next(setting.driver(client).drive(10.0, 1.0))


def test_a_surface_that_does_not_exist_is_refused(setting: Setting) -> None:
    with pytest.raises(BadRequest, match="cart"):
        list(setting.driver(surface="cart").drive(10.0, 1.0))


def test_an_endpoint_that_fails_for_long_ends_the_run(setting: Setting) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(422 if request.url.path == "/v1/events" else 503)

    with httpx.Client(base_url="http://shop", transport=httpx.MockTransport(answer)) as client:
        driver = setting.driver(client)
        with pytest.raises(NotReady, match=f"failed {MAX_FAILURES} times in a row, at last: status 503"):
            list(driver.drive(1_000.0, 1.0))
    assert driver.summary.failures == {"status 503": MAX_FAILURES}


def test_a_world_that_every_user_has_left_says_so(setting: Setting) -> None:
    setting.world.has_left[:] = True
    with pytest.raises(NotReady, match="has left"):
        list(setting.driver().drive(10.0, 1.0))
