"""An alias that was moved without its promotion record counts for nothing, and is named until it is mended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from mlflow import MlflowClient
from tests.registry import releases

from remora.control.traffic import TrafficStore
from remora.core.errors import NotBuilt
from remora.registry import pointers
from remora.registry.bundles import Bundles
from remora.registry.promotions import Promotion, Promotions
from remora.registry.tracking import tracking_uri
from remora.registry.unrecorded import UnrecordedMove, UnrecordedMoves


@pytest.fixture
def one(bundles: Bundles) -> str:
    id = releases.build(bundles, b"one").id
    bundles.promote(id, by="ann", why="first")
    return id


@pytest.fixture
def two(bundles: Bundles) -> str:
    return releases.build(bundles, b"two").id


def stranger(bundles: Bundles) -> MlflowClient:
    """Whoever reaches the tracking server."""
    return MlflowClient(tracking_uri(bundles.settings))


def move_by_hand(bundles: Bundles, id: str, alias: str = "production") -> None:
    client, name = stranger(bundles), bundles.settings.name
    version = next(v for v in client.search_model_versions(f"name = '{name}'") if v.tags["bundle"] == id)
    client.set_registered_model_alias(name, alias, version.version)


def in_mlflow(bundles: Bundles) -> str | None:
    client, name = stranger(bundles), bundles.settings.name
    version = client.get_registered_model(name).aliases.get("production")
    return client.get_model_version(name, version).tags["bundle"] if version else None


def served(bundles: Bundles) -> str:
    traffic = TrafficStore(bundles.home).read()
    assert traffic is not None
    return traffic.production


COMMANDS: dict[str, Callable[[Bundles, str], Any]] = {
    "a look at the traffic": lambda b, two: b.traffic(),
    "a change of the traffic": lambda b, two: b.set_traffic(lambda now: now.model_copy(update={"shadow": two})),
    "a promotion of a candidate": lambda b, two: b.promote(two, "candidate", by="ann", why="to be tried"),
    "a collection": lambda b, two: b.gc(keep=0, delete=True),
    "a list": lambda b, two: b.list(),
    "an opening": lambda b, two: b.open("production"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_publishes_an_alias_that_was_moved_by_hand(
    bundles: Bundles, one: str, two: str, command: str
) -> None:
    move_by_hand(bundles, two)
    COMMANDS[command](bundles, two)
    assert bundles.resolve("production") == served(bundles) == one
    assert bundles.open("production").id == one
    assert [listed.aliases for listed in bundles.list() if listed.id == one] == [("production",)]
    assert [p.bundle for p in bundles.history() if p.alias == "production"] == [one]


def test_it_is_named_in_the_log_and_for_the_replicas_with_what_to_do(
    bundles: Bundles, one: str, two: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert bundles.unrecorded_moves() == ()
    move_by_hand(bundles, two)
    with caplog.at_level(logging.WARNING):
        bundles.traffic()
        bundles.traffic()
    move = UnrecordedMove(alias="production", recorded=one, found=two)
    assert bundles.unrecorded_moves() == UnrecordedMoves(bundles.home).read() == (move,)
    assert [record.name for record in caplog.records] == [pointers.__name__]  # said once, not every two seconds
    for part in (one, two, f"remora bundle promote {two}", "remora bundle restore-aliases"):
        assert part in caplog.text


def test_an_alias_without_any_record_means_nothing(bundles: Bundles, two: str) -> None:
    move_by_hand(bundles, two)
    with pytest.raises(NotBuilt, match="production"):
        bundles.traffic()
    assert TrafficStore(bundles.home).read() is None
    assert bundles.unrecorded_moves() == (UnrecordedMove(alias="production", recorded=None, found=two),)
    bundles.restore_aliases()
    assert in_mlflow(bundles) is None


def test_the_alias_is_restored_by_a_command(bundles: Bundles, one: str, two: str) -> None:
    move_by_hand(bundles, two)
    assert [move.found for move in bundles.restore_aliases()] == [two]
    assert in_mlflow(bundles) == one
    assert bundles.unrecorded_moves() == UnrecordedMoves(bundles.home).read() == bundles.restore_aliases() == ()


@pytest.mark.parametrize("removed", ["the alias", "the version", "the model"])
def test_what_was_deleted_in_mlflow_serves_on_and_is_restored(
    bundles: Bundles, one: str, two: str, removed: str
) -> None:
    client, name = stranger(bundles), bundles.settings.name
    if removed == "the alias":
        client.delete_registered_model_alias(name, "production")
    elif removed == "the version":
        client.delete_model_version(name, client.get_registered_model(name).aliases["production"])
    else:
        client.delete_registered_model(name)
    assert bundles.traffic().production == one
    assert bundles.unrecorded_moves() == (UnrecordedMove(alias="production", recorded=one, found=None),)
    bundles.restore_aliases()
    assert in_mlflow(bundles) == one


def test_a_promotion_of_what_serves_restores_the_alias_and_writes_no_record(
    bundles: Bundles, one: str, two: str
) -> None:
    move_by_hand(bundles, two)
    bundles.promote(one, by="ann", why="it serves already")
    assert in_mlflow(bundles) == one
    assert len(bundles.history()) == 1
    assert UnrecordedMoves(bundles.home).read() == ()


def test_the_moved_bundle_is_promoted_with_its_record(bundles: Bundles, one: str, two: str) -> None:
    move_by_hand(bundles, two)
    done = bundles.promote(two, by="ann", why="it passed its gates after all")
    assert (done.previous, done.bundle) == (one, two)
    assert served(bundles) == two
    assert UnrecordedMoves(bundles.home).read() == ()


def test_a_rollback_goes_back_from_what_served_not_from_what_the_alias_says(
    bundles: Bundles, one: str, two: str
) -> None:
    bundles.promote(two, by="ann", why="second")
    three = releases.build(bundles, b"three").id
    move_by_hand(bundles, three)
    done = bundles.rollback(by="bob", why="errors rose")
    assert (done.previous, done.bundle) == (two, one)
    assert in_mlflow(bundles) == served(bundles) == one


def test_a_promotion_that_was_cut_off_is_not_completed_by_moving_the_alias(
    bundles: Bundles, one: str, two: str
) -> None:
    begun = Promotion(at=datetime.now(UTC), alias="production", bundle=two, previous=one, by="ann", why="it died")
    Promotions(bundles.home).begin(begun)
    bundles.traffic()
    move_by_hand(bundles, two)
    assert bundles.traffic().production == one
    assert [p.done for p in bundles.history()] == [True, False]


def test_records_are_in_their_order_whatever_the_clock_of_a_host_says(bundles: Bundles, one: str, two: str) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=3)
    promotions = Promotions(bundles.home)
    promotions.finish(
        promotions.begin(Promotion(at=ahead, alias="candidate", bundle=two, previous=None, by="ann", why="ahead"))
    )
    promoted = bundles.promote(two, by="bob", why="of a host whose clock is right")
    assert bundles.history()[-1] == promoted
    assert promoted.at > ahead
    assert bundles.resolve("production") == two


def test_records_of_earlier_versions_count(bundles: Bundles, one: str, two: str) -> None:
    folder = "bundles/promotions"
    for name in bundles.home.files(folder):
        stem, _, suffix = name.rpartition("-production")
        bundles.home.write_bytes(f"{folder}/{stem}{suffix}", bundles.home.read_bytes(f"{folder}/{name}"))
        bundles.home.delete(f"{folder}/{name}")
    assert bundles.resolve("production") == one
    bundles.promote(two, "candidate", by="ann", why="to be tried")
    assert {alias: bundles.resolve(alias) for alias in ("production", "candidate")} == {
        "production": one,
        "candidate": two,
    }
