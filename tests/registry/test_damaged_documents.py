"""A damaged document is named, takes down nothing that does not need it, and is mended by a command."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.damage import DAMAGES

from remora.control import traffic as traffic_document
from remora.control.replica_status import FOLDER as REPLICAS
from remora.control.replica_status import ReplicaStatus, ReplicaStatuses
from remora.control.traffic import Canary, TrafficStore
from remora.core.errors import NotFound, RemoraError, UnreadableInput
from remora.core.home import Home
from remora.registry.aliases import Aliases
from remora.registry.bundles import Bundles
from remora.registry.home_garbage import collect
from remora.registry.promotions import FOLDER, DamagedRecord
from remora.registry.retention import RUNS
from remora.registry.unrecorded import PATH as MOVES
from remora.registry.unrecorded import UnrecordedMoves
from remora.release.gates.promotion import promote as through_the_gates
from remora.release.rollout.controller import may_roll_back
from remora.serving.bundle_loader import BundleLoader


@pytest.fixture
def ids(bundles: Bundles, released: tuple[Path, list[str]]) -> list[str]:
    """Three bundles, of which the second is production after the first, and the third the candidate."""
    home, made = released
    shutil.copytree(home, bundles.settings.home, dirs_exist_ok=True)
    return made


@pytest.fixture(params=DAMAGES)
def damage(request: pytest.FixtureRequest) -> Callable[[bytes], bytes]:
    return DAMAGES[request.param]


def last_record(bundles: Bundles, alias: str) -> Path:
    return sorted(Path(bundles.home.at(FOLDER)).glob(f"*-{alias}.json"))[-1]


def damaged(file: Path, how: Callable[[bytes], bytes] = DAMAGES["cut"]) -> Path:
    file.write_bytes(how(file.read_bytes()))
    return file


def served(bundles: Bundles) -> str | None:
    found = TrafficStore(bundles.home).read()
    return found.production if found else None


def test_production_stays_what_replicas_serve_when_its_record_is_damaged(
    bundles: Bundles, ids: list[str], damage: Callable[[bytes], bytes]
) -> None:
    one, two, three = ids
    record = damaged(last_record(bundles, "production"), damage)
    assert bundles.resolve("production") == bundles.open("production").id == bundles.traffic().production == two
    assert [b.aliases for b in bundles.list()] == [(), ("production",), ("candidate",)]
    (move,) = bundles.unrecorded_moves()
    assert (move.alias, move.recorded, move.found) == ("production", two, two)
    assert str(record) in move.message
    assert "`remora rollback --to ID`" in move.message
    assert UnrecordedMoves(bundles.home).read() == (move,), "where replicas read it"
    assert [p.bundle for p in bundles.history()] == [one, three]
    assert [r.path for r in bundles.records() if isinstance(r, DamagedRecord)] == [str(record)]
    assert bundles.restore_aliases() == (move,)
    assert bundles.resolve("candidate") == three


MENDING: dict[str, Callable[[Bundles, list[str]], Any]] = {
    "a promotion of another": lambda b, ids: b.promote(ids[2], by="bob", why="mend"),
    "a promotion of the same": lambda b, ids: b.promote(ids[1], by="bob", why="mend"),
    "a rollback to a bundle": lambda b, ids: b.rollback(by="bob", why="mend", to=ids[0]),
    "a rollback to the same": lambda b, ids: b.rollback(by="bob", why="mend", to=ids[1]),
    "a rollback": lambda b, ids: b.rollback(by="bob", why="mend"),
}


@pytest.mark.parametrize("command", MENDING)
def test_a_promotion_or_a_rollback_writes_a_record_that_counts_again(
    bundles: Bundles, ids: list[str], command: str
) -> None:
    damaged(last_record(bundles, "production"), DAMAGES["emptied"])
    done = MENDING[command](bundles, ids)
    assert bundles.history()[-1] == done
    assert bundles.resolve("production") == served(bundles) == done.bundle
    assert bundles.unrecorded_moves() == ()


def test_a_damaged_record_of_another_alias_stops_nothing(
    bundles: Bundles, ids: list[str], damage: Callable[[bytes], bytes]
) -> None:
    record = damaged(last_record(bundles, "candidate"), damage)
    with pytest.raises(UnreadableInput, match=r"candidate.*remora bundle promote ID --alias candidate"):
        bundles.resolve("candidate")
    assert [move.alias for move in bundles.unrecorded_moves()] == ["candidate"]
    assert str(record) in bundles.unrecorded_moves()[0].message
    assert bundles.rollback(by="bob", why="worse").bundle == ids[0]
    bundles.promote(ids[1], by="bob", why="again")
    bundles.gc(keep=0, delete=True)
    assert bundles.store.has(ids[2]), "what MLflow says of the alias is kept"
    bundles.promote(ids[2], "candidate", by="bob", why="mend")
    assert bundles.resolve("candidate") == ids[2]
    assert bundles.unrecorded_moves() == ()


def test_without_a_record_and_without_traffic_production_is_not_guessed(bundles: Bundles, ids: list[str]) -> None:
    record = damaged(last_record(bundles, "production"))
    damaged(Path(bundles.home.at(traffic_document.PATH)))
    for command in (bundles.traffic, bundles.restore_aliases, lambda: bundles.rollback(by="bob", why="worse")):
        with pytest.raises(UnreadableInput, match=f"{record}.*remora rollback --to ID"):
            command()
    bundles.rollback(by="bob", why="mend", to=ids[1])
    assert bundles.resolve("production") == served(bundles) == ids[1]


def test_a_promotion_by_force_needs_neither(bundles: Bundles, ids: list[str]) -> None:
    damaged(last_record(bundles, "production"))
    kept = through_the_gates(bundles.settings, ids[1], by="bob", why="mend")
    assert kept.bundle == ids[1], "what serves needs no gates"
    assert bundles.unrecorded_moves() == ()
    damaged(last_record(bundles, "production"))
    damaged(Path(bundles.home.at(traffic_document.PATH)))
    done = through_the_gates(bundles.settings, ids[0], by="bob", why="urgent", force=True)
    assert bundles.resolve("production") == served(bundles) == done.bundle == ids[0]


def test_a_canary_is_withdrawn_while_the_record_of_production_is_damaged(bundles: Bundles, ids: list[str]) -> None:
    canary = Canary(bundle=ids[2], share=0.05, salt="r")
    bundles.set_traffic(lambda now: now.model_copy(update={"canary": canary}))
    record = damaged(last_record(bundles, "production"))
    after = bundles.set_traffic(lambda now: now.model_copy(update={"canary": None}))
    assert (after.production, after.canary) == (ids[1], None)
    damages = [one for one in bundles.records() if isinstance(one, DamagedRecord)]
    assert [one.path for one in damages] == [str(record)]
    assert may_roll_back(damages[0], ids[2]), "a rollout does not promote again what may have been rolled back"


def test_a_record_that_was_given_up_may_be_damaged(
    bundles: Bundles, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(Aliases, "point", fail)
        with pytest.raises(KeyboardInterrupt):
            bundles.promote(ids[0], by="doomed", why="a crash")
    bundles.traffic()  # the next command gives it up
    damaged(last_record(bundles, "production"))
    assert bundles.resolve("production") == ids[1]
    assert bundles.unrecorded_moves() == ()


def test_what_is_no_record_is_left_alone(bundles: Bundles, ids: list[str]) -> None:
    for name in ("notes.json", "20261399T000000.000000-0123abcd-production.json"):
        Path(bundles.home.at(f"{FOLDER}/{name}")).write_text("mine")
    assert bundles.rollback(by="bob", why="worse").bundle == ids[0]
    assert len(bundles.records()) == 4


def test_damaged_traffic_is_named_and_written_again_from_the_records(
    bundles: Bundles, ids: list[str], damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(bundles.home.at(traffic_document.PATH))
    ReplicaStatuses(bundles.home).write(ReplicaStatus(replica="r", deployment="d", heartbeat=1, revision=41))
    damaged(file, damage)
    (problem,) = bundles.problems()
    assert str(file) in problem
    assert "remora bundle restore-aliases" in problem
    with pytest.raises(UnreadableInput, match=r"traffic\.json"):
        bundles.gc(keep=0, delete=True)
    with pytest.raises(UnreadableInput, match=r"traffic\.json"):
        collect(bundles.settings, in_use={}, delete=False)
    assert all(map(bundles.store.has, ids))
    with caplog.at_level(logging.WARNING):
        bundles.restore_aliases()
    assert str(file) in caplog.text
    written = TrafficStore(bundles.home).read()
    assert written is not None
    assert (written.production, written.revision) == (ids[1], 42), "replicas see a revision that they have not seen"
    assert bundles.problems() == ()


@pytest.mark.parametrize("command", [name for name in MENDING if "the same" not in name])
def test_a_promotion_or_a_rollback_replaces_damaged_traffic(bundles: Bundles, ids: list[str], command: str) -> None:
    damaged(Path(bundles.home.at(traffic_document.PATH)))
    done = MENDING[command](bundles, ids)
    assert served(bundles) == done.bundle


def test_a_new_replica_follows_the_record_where_the_traffic_is_damaged(bundles: Bundles, ids: list[str]) -> None:
    loader = BundleLoader(settings=bundles.settings, bundle=ids[0], variant="production")
    damaged(Path(bundles.home.at(traffic_document.PATH)))
    with pytest.raises(UnreadableInput):
        loader.traffic()
    assert loader.first_traffic().production == ids[1], "not what was production when it was deployed"
    with loader.opening(ids[1]):
        pass
    damaged(last_record(bundles, "production"))
    with pytest.raises(UnreadableInput, match=r"traffic\.json"):
        loader.first_traffic()


def test_other_documents_that_are_damaged_count_as_none(
    bundles: Bundles, ids: list[str], damage: Callable[[bytes], bytes]
) -> None:
    home = Home(bundles.settings.home)
    ReplicaStatuses(home).write(ReplicaStatus(replica="r", deployment="d", heartbeat=1, revision=1))
    home.write_json(f"{RUNS}/20260101T000000.json", {"outcome": "succeeded"})
    home.write_json(MOVES, [{"alias": "production", "recorded": "a", "found": "b"}])
    for path in (f"{REPLICAS}/r.json", f"{RUNS}/20260101T000000.json", MOVES):
        damaged(Path(home.at(path)), damage)
    if damage is not DAMAGES["a NUL in every text"]:  # those are names of nothing, and paths of nothing
        assert ReplicaStatuses(home).read() == {}
        assert UnrecordedMoves(home).read() == ()
    assert bundles.unrecorded_moves() == ()
    assert not home.exists(MOVES)
    collect(bundles.settings, in_use={}, delete=False)


@pytest.mark.parametrize("others", [True, False])
def test_a_bundle_that_an_alias_means_and_that_is_gone_is_listed_and_named(
    bundles: Bundles, ids: list[str], *, others: bool
) -> None:
    for id in ids if not others else ids[1:2]:
        bundles.store.remove(id)
    gone = [b for b in bundles.list() if b.created_at is None]
    assert [(b.id, b.aliases) for b in gone if "production" in b.aliases] == [(ids[1], ("production",))]
    assert len(gone) == (1 if others else 2)
    assert any(f"no bundle '{ids[1]}'. The alias production means it" in problem for problem in bundles.problems())
    with pytest.raises(NotFound, match="The alias production means it, and it is gone"):
        bundles.open(ids[1])
    assert bundles.unrecorded_moves() == ()


def test_an_import_mends_a_damaged_manifest(bundles: Bundles, ids: list[str], tmp_path: Path) -> None:
    bundles.export(ids[0], tmp_path / "one.tar")
    damaged(Path(bundles.store.read(ids[0]).at("manifest.json")))
    with pytest.raises(RemoraError, match="Import or build the bundle again"):
        bundles.open(ids[0])
    bundles.import_(tmp_path / "one.tar")
    bundles.open(ids[0])
