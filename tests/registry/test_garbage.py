"""What goes is what nobody needs, and only that."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow import MlflowClient
from tests.registry import releases

from remora.control.traffic import Canary
from remora.core.errors import NotFound
from remora.core.home import StoredFile
from remora.registry.bundles import Bundles
from remora.registry.garbage import QUIET, bundle_garbage
from remora.registry.manifest import MANIFEST
from remora.registry.store import FOLDER
from remora.registry.tracking import tracking_uri

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def many(bundles: Bundles) -> list[str]:
    """Eight bundles, oldest first."""
    ids = [releases.build(bundles, f"model {n}".encode()).id for n in range(8)]
    for age, id in enumerate(reversed(ids)):
        at = NOW.timestamp() - 60 * age
        os.utime(bundles.read(id).at(MANIFEST), (at, at))
    return ids


def test_what_serves_is_tried_or_could_be_returned_to_stays(bundles: Bundles, many: list[str]) -> None:
    for id in many[:2]:
        bundles.promote(id, by="ann", why="next")
    bundles.promote(many[2], "candidate", by="ann", why="tried")
    canary = Canary(bundle=many[3], share=0.1, salt="r")
    bundles.set_traffic(lambda now: now.model_copy(update={"canary": canary, "shadow": many[4], "loading": (many[5],)}))
    going = bundles.gc(keep=0, delete=True)
    assert [one.id for one in going] == many[6:]
    assert [b.id for b in bundles.list()] == many[:6]
    bundles.rollback(by="bob", why="worse")
    bundles.open("candidate")


def test_the_newest_and_the_last_promoted_stay(bundles: Bundles, many: list[str]) -> None:
    for id in many[:5]:
        bundles.promote(id, by="ann", why="next")
    assert [one.id for one in bundles.gc(keep=2)] == [many[0], many[1], many[2], many[5]]
    assert bundles.gc(keep=8) == []


def test_it_is_only_said_until_it_is_to_be_removed(bundles: Bundles, many: list[str]) -> None:
    going = bundles.gc(keep=1)
    assert [one.id for one in going] == many[:-1]
    assert all(one.bytes > 1000 for one in going)
    assert [b.id for b in bundles.list()] == many
    bundles.gc(keep=1, delete=True)
    assert [b.id for b in bundles.list()] == many[-1:]
    assert len(MlflowClient(tracking_uri(bundles.settings)).search_model_versions("name = 'shop'")) == 1
    assert bundles.gc(keep=1) == []


def test_a_bundle_that_went_can_be_built_and_promoted_again(bundles: Bundles) -> None:
    built = releases.build(bundles)
    bundles.gc(keep=0, delete=True)
    with pytest.raises(NotFound):
        bundles.promote(built.id, by="ann", why="too late")
    assert releases.build(bundles).id == built.id
    bundles.promote(built.id, by="ann", why="it is back")


def test_an_alias_of_a_bundle_that_is_gone_says_what_to_do(bundles: Bundles) -> None:
    one, two = releases.build(bundles, b"one"), releases.build(bundles, b"two")
    for bundle in (one, two):
        bundles.promote(bundle.id, by="ann", why="next")
    bundles.promote(one.id, "candidate", by="ann", why="tried")
    for bundle in (one, two):
        bundles.home.delete(bundle.folder)
    with pytest.raises(NotFound, match=rf"{two.id}.*production means it.*remora bundle import.*remora rollback"):
        bundles.open("production")
    with pytest.raises(NotFound, match=rf"{one.id}.*candidate means it.*promote ID --alias candidate"):
        bundles.open("candidate")
    assert {b.id for b in bundles.list() if b.created_at is None} == {one.id, two.id}


def test_what_was_cut_off_goes_once_it_surely_does_not_run(bundles: Bundles) -> None:
    built, cut = releases.build(bundles), releases.build(bundles, b"cut off")
    Path(cut.at(MANIFEST)).unlink()
    for name in (f"ranker.ubj.{'0' * 32}", ".manifest.json.ab12cd_f"):
        Path(built.at(name)).write_bytes(b"aside")
    assert bundles.gc(keep=5, delete=True) == []
    later = datetime.now(UTC) + 2 * QUIET
    going = bundles.gc(keep=5, delete=True, now=later)
    aside = {f"{built.id}/ranker.ubj.{'0' * 32}", f"{built.id}/.manifest.json.ab12cd_f"}
    assert {one.path for one in going} == {cut.id, *aside}
    assert {file.path.partition("/")[0] for file in bundles.home.stored(FOLDER)} == {built.id, ".lock"}
    bundles.open(built.id)


def test_a_build_whose_files_were_collected_before_it_ended_says_so(bundles: Bundles) -> None:
    built = releases.build(bundles)
    Path(built.at(MANIFEST)).unlink()
    filled = bundles.store.fill(built.manifest, {})
    bundles.gc(keep=0, delete=True, now=datetime.now(UTC) + 2 * QUIET)
    with pytest.raises(Exception, match="the file is missing"):
        bundles.store.complete(filled)
    assert bundles.list() == []


IDS = st.sampled_from([f"{n:016x}" for n in range(6)])
FILES = st.builds(
    lambda id, name, age: StoredFile(path=f"{id}/{name}", bytes=1, at=NOW - timedelta(minutes=age)),
    IDS,
    st.sampled_from([MANIFEST, "ranker.ubj", f"ranker.ubj.{'a' * 32}"]),
    st.integers(0, 120),
)
STORED = st.lists(FILES, unique_by=lambda file: file.path)


@given(STORED, st.sets(IDS), st.integers(0, 3))
def test_nothing_that_is_needed_or_running_is_ever_among_what_goes(
    files: list[StoredFile], needed: set[str], keep: int
) -> None:
    going = bundle_garbage(files, needed, keep=keep, now=NOW)
    complete = {file.path.partition("/")[0]: file.at for file in files if file.path.endswith(MANIFEST)}
    gone = {one.id for one in going if one.complete}
    assert gone.isdisjoint(needed)
    assert len(set(complete) - gone) >= min(keep, len(complete))
    assert all(NOW - one.at >= QUIET for one in going if not one.complete)
    assert all(one.id not in complete for one in going if one.id and not one.complete)
    for file in files:  # a file that belongs to a bundle that stays, stays
        id, _, name = file.path.partition("/")
        if id in complete and id not in gone and name in (MANIFEST, "ranker.ubj"):
            assert file.path not in {one.path for one in going}
