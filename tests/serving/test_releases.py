"""A replica follows the traffic: it loads what is named, switches when it has it, and goes on when it cannot."""

from __future__ import annotations

from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.small_shop import SmallShop

from remora.contracts.errors import StorageError
from remora.registry.traffic import Canary, Traffic
from remora.serving.phases import OtherBundle, Phases
from remora.serving.releases import RETRY_LOOKS, Releases

RELEASE = SmallShop().release()
"""Every bundle of these tests is this one: loading it once is enough."""


class Board:
    """What is wanted, which bundles cannot be opened, and which were."""

    def __init__(self, production: str) -> None:
        self.traffic = Traffic(production=production)
        self.broken: set[str] = set()
        self.opened: list[str] = []

    def wants(self, **change: object) -> None:
        after = {**self.traffic.model_dump(), **change, "revision": self.traffic.revision + 1}
        self.traffic = Traffic.model_validate(after)

    def open(self, bundle: str) -> Phases:
        self.opened.append(bundle)
        if bundle in self.broken:
            raise StorageError(f"{bundle} is damaged")
        return Phases(RELEASE)

    def releases(self) -> Releases:
        return Releases(lambda: self.traffic, self.open)


@pytest.fixture
def board() -> Board:
    return Board("one")


def test_a_replica_begins_with_production_alone_and_takes_the_rest_when_it_looks(board: Board) -> None:
    board.wants(previous="zero", loading=("two",))
    releases = board.releases()
    assert board.opened == ["one"]
    assert releases.look()
    assert board.opened == ["one", "zero", "two"]
    assert not releases.look()
    assert list(releases.now.phases) == ["one", "zero", "two"]


def test_it_serves_the_old_bundle_until_it_has_the_new_one(board: Board) -> None:
    releases = board.releases()
    seen: list[str] = []
    opening = board.open
    releases._opened = lambda bundle: (seen.append(releases.now.traffic.production), opening(bundle))[1]
    board.wants(production="two", previous="one")
    releases.look()
    assert seen == ["one"]
    assert releases.now.traffic.production == "two"
    assert set(releases.now.phases) == {"one", "two"}


def test_going_back_opens_nothing(board: Board) -> None:
    releases = board.releases()
    board.wants(production="two", previous="one")
    releases.look()
    board.opened.clear()
    board.wants(production="one", previous=None)
    releases.look()
    assert board.opened == []
    assert list(releases.now.phases) == ["one"]


def test_a_bundle_that_cannot_be_opened_is_refused_and_what_served_goes_on(board: Board) -> None:
    board.broken = {"two"}
    releases = board.releases()
    board.wants(production="two", previous="one")
    assert releases.look()
    assert releases.now.traffic.production == "one"
    assert releases.refused == {"two": "StorageError: two is damaged"}
    board.opened.clear()
    assert not releases.look()
    assert board.opened == []


def test_a_refused_bundle_is_tried_again_with_another_traffic_and_now_and_then(board: Board) -> None:
    board.broken = {"two"}
    releases = board.releases()
    board.wants(loading=("two",))
    releases.look()
    board.broken.clear()
    for _ in range(RETRY_LOOKS):
        releases.look()
    assert "two" in releases.now.phases
    assert releases.refused == {}
    board.broken = {"three"}
    board.wants(loading=("three",))
    releases.look()
    board.broken.clear()
    board.wants(shadow="three")
    releases.look()
    assert "three" in releases.now.phases


def test_a_new_replica_serves_what_was_before_a_broken_production(board: Board) -> None:
    board.wants(production="two", previous="one")
    board.broken = {"two"}
    releases = board.releases()
    assert releases.now.traffic.production == "one"
    assert "two" in releases.refused
    board.wants(previous=None)
    with pytest.raises(StorageError):
        board.releases()


def test_who_is_dealt_a_canary_that_is_not_here_yet_gets_production(board: Board) -> None:
    board.broken = {"new"}
    releases = board.releases()
    board.wants(canary=Canary(bundle="new", share=1.0, salt="s"))
    releases.look()
    assert releases.now.chosen("anybody") == ("one", "production")
    board.broken.clear()
    board.wants()
    releases.look()
    assert releases.now.chosen("anybody") == ("new", "canary")


def test_what_nobody_names_any_more_is_let_go_while_production_cannot_be_opened(board: Board) -> None:
    board.broken = {"three", "four"}
    releases = board.releases()
    board.wants(production="three", previous="two")
    releases.look()
    assert set(releases.now.phases) == {"one", "two"}
    board.wants(production="four", previous=None)
    releases.look()
    assert set(releases.now.phases) == {"one"}


def test_a_bundle_that_is_not_here_is_named_with_what_is(board: Board) -> None:
    with pytest.raises(OtherBundle, match="of bundle two, this replica serves one"):
        board.releases().now.of("two")


NAMES = st.sampled_from(["one", "two", "three", "four"])
CHANGES = st.fixed_dictionaries(
    {
        "production": NAMES,
        "previous": st.none() | NAMES,
        "shadow": st.none() | NAMES,
        "canary": st.none() | st.builds(lambda b: {"bundle": b, "share": 0.5, "salt": "s"}, NAMES),
        "loading": st.lists(NAMES, max_size=2).map(tuple),
    }
)


@settings(max_examples=200)
@given(st.lists(st.tuples(CHANGES, st.sets(NAMES)), max_size=8), st.lists(st.text(max_size=3), min_size=3, max_size=3))
def test_whatever_is_wanted_and_broken_everybody_is_dealt_a_bundle_that_is_here(
    steps: list[tuple[dict[str, object], set[str]]], users: list[str]
) -> None:
    board = Board("one")
    releases = board.releases()
    for change, broken in steps:
        board.broken = broken
        board.wants(**change)
        releases.look()
        now = releases.now
        assert {now.chosen(user)[0] for user in users} <= set(now.phases)
        assert now.production is now.phases[now.traffic.production]
        if board.traffic.production in now.phases:
            assert now.traffic == board.traffic
        assert set(now.phases) <= {*board.traffic.bundles, now.traffic.production, *now.traffic.bundles}


def test_a_look_that_fails_does_not_end_the_following(board: Board) -> None:
    releases, failed, went_on = board.releases(), Event(), Event()

    def traffic() -> Traffic:
        if not failed.is_set():
            failed.set()
            raise StorageError("the home is out")
        return board.traffic

    releases._traffic = traffic
    releases.follow(0.001, lambda changed: went_on.set())
    assert failed.wait(30)
    assert went_on.wait(30)
