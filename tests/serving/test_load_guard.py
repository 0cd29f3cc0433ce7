"""The first opening of a bundle is made by one replica alone, and what ended that one is opened by no other."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from tests.serving.small_shop import SmallShop

from remora.control.traffic import Traffic
from remora.core.errors import DataError, NotReady, Refused
from remora.core.home import Home
from remora.serving.bundle_follower import BundleFollower
from remora.serving.load_guard import LoadGuard, LoadInProgress
from remora.serving.loaded_bundle import LoadedBundle


@pytest.fixture
def load_guard(tmp_path: Path) -> LoadGuard:
    return LoadGuard(Home(str(tmp_path)))


def die_in_it(home: str) -> None:
    with LoadGuard(Home(home)).opening("bad", revision=3):
        os._exit(11)


def hold_it(home: str, held: Any, let_go: Any) -> None:
    with LoadGuard(Home(home)).opening("new", revision=3):
        held.set()
        let_go.wait()


def test_what_ended_a_process_is_refused_until_traffic_is_directed_again(load_guard: LoadGuard) -> None:
    process = multiprocessing.get_context("spawn").Process(target=die_in_it, args=(load_guard.home.url,))
    process.start()
    process.join()
    assert process.exitcode == 11
    for _ in range(2):
        with (
            pytest.raises(Refused, match="A replica died while it opened bundle bad"),
            load_guard.opening("bad", revision=3),
        ):
            raise AssertionError("it was opened")
    with load_guard.opening("bad", revision=4):
        pass
    with load_guard.opening("bad", revision=3):  # it was opened once, and nobody died
        pass


def test_others_wait_while_one_makes_the_first_opening(load_guard: LoadGuard) -> None:
    context = multiprocessing.get_context("spawn")
    held, let_go = context.Event(), context.Event()
    process = context.Process(target=hold_it, args=(load_guard.home.url, held, let_go))
    process.start()
    held.wait()
    with pytest.raises(LoadInProgress), load_guard.opening("new", revision=3):
        raise AssertionError("it was opened")
    let_go.set()
    process.join()
    with load_guard.opening("new", revision=3), load_guard.opening("new", revision=3):
        pass


@pytest.mark.parametrize("error", [DataError("it does not fit"), NotReady("the store is out")])
def test_what_only_fails_is_no_death(load_guard: LoadGuard, error: Exception) -> None:
    for _ in range(2):
        with pytest.raises(type(error), match=str(error)), load_guard.opening("broken", revision=3):
            raise error


def test_a_replica_continues_while_another_opens_and_takes_the_bundle_at_a_later_look() -> None:
    wanted = [Traffic(production="one")]
    busy = [True]

    def opened(bundle: str) -> LoadedBundle:
        if bundle == "two" and busy[0]:
            raise LoadInProgress("another replica")
        return RELEASE

    bundles = BundleFollower(lambda: wanted[0], opened)
    wanted[0] = Traffic(production="two", previous="one", revision=1)
    bundles.refresh()
    assert (bundles.active.traffic.production, bundles.load_errors) == ("one", {})
    busy[0] = False
    bundles.refresh()
    assert bundles.active.traffic.production == "two"


def test_a_new_replica_waits_for_another_s_first_opening() -> None:
    tries = []

    def opened(bundle: str) -> LoadedBundle:
        tries.append(bundle)
        if len(tries) < 3:
            raise LoadInProgress("another replica")
        return RELEASE

    assert BundleFollower(lambda: Traffic(production="one"), opened).active.traffic.production == "one"
    assert tries == ["one"] * 3


RELEASE = SmallShop().load()
