"""A replica follows the traffic: it loads what is named, switches when it has it, and continues when it cannot."""

from __future__ import annotations

from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.small_shop import SmallShop

from remora.control.traffic import Canary, Traffic
from remora.core.errors import StorageError, UnreadableInput
from remora.serving.bundle_follower import RETRY_LOOKS, BundleFollower
from remora.serving.loaded_bundle import LoadedBundle
from remora.serving.stage_request import BundleMismatch

RELEASE = SmallShop().load()
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

    def open(self, bundle: str) -> LoadedBundle:
        self.opened.append(bundle)
        if bundle in self.broken:
            raise StorageError(f"{bundle} is damaged")
        return RELEASE

    def bundles(self) -> BundleFollower:
        return BundleFollower(lambda: self.traffic, self.open)


@pytest.fixture
def board() -> Board:
    return Board("one")


def test_a_replica_begins_with_production_alone_and_takes_the_rest_when_it_looks(board: Board) -> None:
    board.wants(previous="zero", loading=("two",))
    bundles = board.bundles()
    assert board.opened == ["one"]
    assert bundles.refresh()
    assert board.opened == ["one", "zero", "two"]
    assert not bundles.refresh()
    assert list(bundles.active.loaded) == ["one", "zero", "two"]


def test_it_serves_the_old_bundle_until_it_has_the_new_one(board: Board) -> None:
    bundles = board.bundles()
    seen: list[str] = []
    opening = board.open
    bundles._opened = lambda bundle: (seen.append(bundles.active.traffic.production), opening(bundle))[1]
    board.wants(production="two", previous="one")
    bundles.refresh()
    assert seen == ["one"]
    assert bundles.active.traffic.production == "two"
    assert set(bundles.active.loaded) == {"one", "two"}


def test_going_back_opens_nothing(board: Board) -> None:
    bundles = board.bundles()
    board.wants(production="two", previous="one")
    bundles.refresh()
    board.opened.clear()
    board.wants(production="one", previous=None)
    bundles.refresh()
    assert board.opened == []
    assert list(bundles.active.loaded) == ["one"]


def test_a_bundle_that_cannot_be_opened_is_refused_and_what_served_continues(board: Board) -> None:
    board.broken = {"two"}
    bundles = board.bundles()
    board.wants(production="two", previous="one")
    assert bundles.refresh()
    assert bundles.active.traffic.production == "one"
    assert bundles.load_errors == {"two": "StorageError: two is damaged"}
    board.opened.clear()
    assert not bundles.refresh()
    assert board.opened == []


def test_a_refused_bundle_is_tried_again_with_another_traffic_and_now_and_then(board: Board) -> None:
    board.broken = {"two"}
    bundles = board.bundles()
    board.wants(loading=("two",))
    bundles.refresh()
    board.broken.clear()
    for _ in range(RETRY_LOOKS):
        bundles.refresh()
    assert "two" in bundles.active.loaded
    assert bundles.load_errors == {}
    board.broken = {"three"}
    board.wants(loading=("three",))
    bundles.refresh()
    board.broken.clear()
    board.wants(shadow="three")
    bundles.refresh()
    assert "three" in bundles.active.loaded


def test_a_new_replica_serves_what_was_before_a_broken_production(board: Board) -> None:
    board.wants(production="two", previous="one")
    board.broken = {"two"}
    bundles = board.bundles()
    assert bundles.active.traffic.production == "one"
    assert "two" in bundles.load_errors
    board.wants(previous=None)
    with pytest.raises(StorageError):
        board.bundles()


def test_who_is_assigned_a_canary_that_is_not_here_yet_gets_production(board: Board) -> None:
    board.broken = {"new"}
    bundles = board.bundles()
    board.wants(canary=Canary(bundle="new", share=1.0, salt="s"))
    bundles.refresh()
    assert bundles.active.assign("anybody") == ("one", "production")
    board.broken.clear()
    board.wants()
    bundles.refresh()
    assert bundles.active.assign("anybody") == ("new", "canary")


def test_what_no_traffic_names_any_more_is_let_go_while_production_cannot_be_opened(board: Board) -> None:
    board.broken = {"three", "four"}
    bundles = board.bundles()
    board.wants(production="three", previous="two")
    bundles.refresh()
    assert set(bundles.active.loaded) == {"one", "two"}
    board.wants(production="four", previous=None)
    bundles.refresh()
    assert set(bundles.active.loaded) == {"one"}


def test_a_bundle_that_is_not_here_is_named_with_what_is(board: Board) -> None:
    with pytest.raises(BundleMismatch, match="of bundle two, this replica serves one"):
        board.bundles().active.of("two")


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
def test_whatever_traffic_names_and_fails_to_load_each_user_is_assigned_a_bundle_that_is_here(
    steps: list[tuple[dict[str, object], set[str]]], users: list[str]
) -> None:
    board = Board("one")
    bundles = board.bundles()
    for change, broken in steps:
        board.broken = broken
        board.wants(**change)
        bundles.refresh()
        now = bundles.active
        assert {now.assign(user)[0] for user in users} <= set(now.loaded)
        assert now.production is now.loaded[now.traffic.production]
        if board.traffic.production in now.loaded:
            assert now.traffic == board.traffic
        assert set(now.loaded) <= {*board.traffic.bundles, now.traffic.production, *now.traffic.bundles}


def test_a_look_that_fails_does_not_end_the_following(board: Board) -> None:
    bundles, failed, went_on = board.bundles(), Event(), Event()

    def traffic() -> Traffic:
        if not failed.is_set():
            failed.set()
            raise StorageError("the home is out")
        return board.traffic

    bundles._traffic = traffic
    bundles.run(0.001, lambda changed: went_on.set())
    assert failed.wait(30)
    assert went_on.wait(30)


def test_while_the_document_is_damaged_all_continues_and_it_is_said_once(
    board: Board, caplog: pytest.LogCaptureFixture
) -> None:
    board.wants(previous="zero", loading=("two",))
    damaged: list[bool] = []

    def traffic() -> Traffic:
        if damaged:
            raise UnreadableInput("serving/traffic.json", "it is empty", "Write it again.")
        return board.traffic

    bundles = BundleFollower(traffic, board.open)
    damaged.append(True)
    assert bundles.refresh(), "what was told before is taken up all the same"
    assert not bundles.refresh()
    assert list(bundles.active.loaded) == ["one", "zero", "two"]
    assert bundles.damage.startswith("Cannot read 'serving/traffic.json': it is empty.")
    assert caplog.text.count("Cannot read 'serving/traffic.json'") == 1
    damaged.clear()
    board.wants(production="two")
    assert bundles.refresh()
    assert (bundles.damage, bundles.active.traffic.production) == ("", "two")


def test_a_new_replica_begins_with_what_it_is_given_first(board: Board) -> None:
    def damaged() -> Traffic:
        raise UnreadableInput("serving/traffic.json", "it is empty", "Write it again.")

    bundles = BundleFollower(damaged, board.open, lambda: Traffic(production="recorded"))
    assert not bundles.refresh()
    assert bundles.active.traffic.production == "recorded"
