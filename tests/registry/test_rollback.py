"""Production is again what it was, whatever has become of what it is; and never again what was rolled back."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry import releases

from remora.control.traffic import Canary, TrafficStore
from remora.core.errors import BadRequest, ChecksumMismatch, NotBuilt, NotReady
from remora.registry.bundles import Bundles
from remora.registry.manifest import MANIFEST
from remora.registry.promotions import PROMOTION, ROLLBACK, Promotion
from remora.registry.rollback_target import before, succession


@pytest.fixture
def three(bundles: Bundles) -> list[str]:
    """Bundles that were promoted one after the other."""
    ids = [releases.build(bundles, model).id for model in (b"one", b"two", b"three")]
    for id in ids:
        bundles.promote(id, by="ann", why="next")
    return ids


def test_production_is_what_it_was_before_and_the_history_says_so(bundles: Bundles, three: list[str]) -> None:
    done = bundles.rollback(by="bob", why="errors rose", evidence={"failed": 0.02})
    assert (done.bundle, done.previous, done.kind, done.by) == (three[1], three[2], "rollback", "bob")
    assert bundles.resolve("production") == three[1]
    assert bundles.history()[-1] == done
    assert done.evidence == {"failed": 0.02}


def test_what_was_tried_gets_no_more_requests(bundles: Bundles, three: list[str]) -> None:
    canary = Canary(bundle=three[0], share=0.1, salt="r")
    tried = {"canary": canary, "shadow": three[1], "loading": (three[1],)}
    before = bundles.set_traffic(lambda now: now.model_copy(update=tried))
    bundles.rollback(by="bob", why="worse")
    now = bundles.traffic()
    assert (now.production, now.canary, now.shadow, now.loading) == (three[1], None, None, ())
    assert now.revision == before.revision + 1
    assert now.previous == three[0]  # kept warm: where the next rollback goes


def test_a_second_rollback_goes_further_back_and_a_third_has_nowhere_to_go(bundles: Bundles, three: list[str]) -> None:
    assert [bundles.rollback(by="bob", why="worse").bundle for _ in range(2)] == [three[1], three[0]]
    with pytest.raises(NotReady, match=rf"before {three[0]}.*remora rollback --to"):
        bundles.rollback(by="bob", why="worse")
    assert bundles.resolve("production") == three[0]


def test_what_is_promoted_after_a_rollback_goes_back_to_what_it_replaced(bundles: Bundles, three: list[str]) -> None:
    bundles.rollback(by="bob", why="worse")
    mended = releases.build(bundles, b"mended").id
    bundles.promote(mended, by="ann", why="mended")
    assert bundles.rollback(by="bob", why="still").bundle == three[1]


def test_a_named_bundle_is_returned_to_and_what_came_after_it_is_not(bundles: Bundles, three: list[str]) -> None:
    fourth = releases.build(bundles, b"four").id
    bundles.promote(fourth, by="ann", why="next")
    assert bundles.rollback(by="bob", why="all of them", to=three[1]).bundle == three[1]
    assert bundles.rollback(by="bob", why="that one too").bundle == three[0]


@pytest.mark.parametrize("damage", ["gone", "a manifest of nonsense", "a changed file"])
def test_the_bundle_that_is_left_may_be_damaged(bundles: Bundles, three: list[str], damage: str) -> None:
    folder = Path(bundles.read(three[2]).at())
    if damage == "gone":
        shutil.rmtree(folder)
    else:
        (folder / (MANIFEST if "manifest" in damage else "ranker.ubj")).write_bytes(b"\0")
    assert bundles.rollback(by="bob", why="it is broken").bundle == three[1]
    assert bundles.traffic().production == three[1]


def test_what_is_gone_or_short_is_not_returned_to(bundles: Bundles, three: list[str]) -> None:
    file = Path(bundles.read(three[1]).at("ranker.ubj"))
    file.write_bytes(b"t")
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj.*1 bytes of 3"):
        bundles.rollback(by="bob", why="worse")
    shutil.rmtree(file.parent)
    with pytest.raises(NotReady, match=rf"{three[1]}.*gone.*remora bundle import.*--to BUNDLE"):
        bundles.rollback(by="bob", why="worse")
    assert bundles.resolve("production") == bundles.traffic().production == three[2]
    assert bundles.rollback(by="bob", why="worse", to=three[0]).bundle == three[0]


def test_what_no_replica_keeps_warm_is_verified_before_it_is_returned_to(bundles: Bundles, three: list[str]) -> None:
    Path(bundles.read(three[0]).at("ranker.ubj")).write_bytes(b"bad")
    with pytest.raises(ChecksumMismatch, match=r"ranker\.ubj"):
        bundles.rollback(by="bob", why="worse", to=three[0])


def test_what_the_traffic_does_not_say_the_history_does(bundles: Bundles, three: list[str]) -> None:
    bundles.set_traffic(lambda now: now.model_copy(update={"previous": None}))
    assert bundles.rollback(by="bob", why="worse").bundle == three[1]


def test_a_rollback_of_nothing_or_to_what_serves_is_refused(bundles: Bundles) -> None:
    with pytest.raises(NotBuilt, match="production"):
        bundles.rollback(by="bob", why="too early")
    only = releases.build(bundles).id
    bundles.promote(only, by="ann", why="first")
    with pytest.raises(NotReady, match="Nothing was in production before"):
        bundles.rollback(by="bob", why="too early")
    with pytest.raises(BadRequest, match="in production already"):
        bundles.rollback(by="bob", why="a slip", to=only)
    board = TrafficStore(bundles.home).read()
    assert board is not None
    assert board.revision == 1


MOVES = st.lists(st.sampled_from(["a", "b", "c", "d", "rollback"]), max_size=30)


@given(MOVES)
def test_rollbacks_never_return_to_what_was_rolled_back(moves: list[str]) -> None:
    history: list[Promotion] = []
    taken_back: set[str] = set()
    now = None
    for move in moves:
        target = before(succession(history), now) if move == "rollback" and now else move
        if target is None or target in ("rollback", now):
            continue
        kind: Literal["promotion", "rollback"] = ROLLBACK if move == "rollback" else PROMOTION
        if kind == ROLLBACK:
            assert target not in taken_back
            assert now is not None
            taken_back.add(now)
        else:
            taken_back.discard(target)
        at = datetime(2026, 1, 1, tzinfo=UTC)
        one = {"at": at, "alias": "production", "by": "", "why": "", "done": True}
        history.append(Promotion(**one, bundle=target, previous=now, kind=kind))
        now = target
        assert succession(history)[-1] == now
