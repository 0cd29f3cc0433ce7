"""A process that dies between any two steps leaves what was before, or what the next command completes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.registry import releases

from remora.control.traffic import Canary
from remora.core.home import Home
from remora.registry.aliases import Aliases
from remora.registry.bundles import Bundles

STEPS = ((Home, "write_bytes"), (Home, "delete"), (Aliases, "register"), (Aliases, "point"), (Aliases, "forget"))


class Died(BaseException):
    """The process is dead: nothing after this is done."""


def die_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """From the step of that number on, counted from 0, nothing is written any more."""
    done = iter(range(step))

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def step_or_die(*arguments: Any, **named: Any) -> Any:
            if next(done, None) is None:
                raise Died
            return method(*arguments, **named)

        return step_or_die

    for owner, name in STEPS:
        monkeypatch.setattr(owner, name, dying(getattr(owner, name)))


def each_death(
    home: Path, bundles: Bundles, monkeypatch: pytest.MonkeyPatch, work: Callable[[Bundles], Any]
) -> list[Bundles]:
    """For each step of ``work``, the registry of a copy of the home in which it died there; the last one lived."""
    left = []
    for step in range(40):
        copy = home.with_name(f"home-{step}")
        shutil.copytree(home, copy)
        settings = bundles.settings.model_copy(update={"home": str(copy)})
        with monkeypatch.context() as patch:
            die_at(patch, step)
            try:
                work(Bundles(settings))
                lived = True
            except Died:
                lived = False
        left.append(Bundles(settings))
        if lived:
            return left
    raise AssertionError("it has more steps than were looked at")


def state(bundles: Bundles) -> tuple[Any, ...]:
    """Who serves, as the alias, the traffic and the history say it."""
    traffic = bundles.traffic()
    last = [p for p in bundles.history() if p.done][-1]
    return (bundles.resolve("production"), traffic.production, traffic.previous, traffic.canary, last.bundle, last.kind)


def test_a_promotion_that_dies_is_as_if_it_were_not_or_is_completed(
    bundles: Bundles, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = releases.build(bundles, b"one").id, releases.build(bundles, b"two").id
    bundles.promote(one, by="ann", why="first")
    old = (one, one, None, None, one, "promotion")
    new = (two, two, one, None, two, "promotion")
    left = each_death(home_folder, bundles, monkeypatch, lambda b: b.promote(two, by="ann", why="second"))
    found = [state(b) for b in left]
    assert set(found) == {old, new}
    assert found == sorted(found, key=[old, new].index)  # never new before the alias moved, never old after
    assert len(found) >= 6


def test_a_rollback_that_dies_is_as_if_it_were_not_or_is_completed(
    bundles: Bundles, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (releases.build(bundles, model).id for model in (b"one", b"two", b"three"))
    for id in (one, two):
        bundles.promote(id, by="ann", why="next")
    canary = Canary(bundle=three, share=0.1, salt="r")
    bundles.set_traffic(lambda now: now.model_copy(update={"canary": canary}))
    old = (two, two, one, canary, two, "promotion")
    new = (one, one, None, None, one, "rollback")
    found = [
        state(b) for b in each_death(home_folder, bundles, monkeypatch, lambda b: b.rollback(by="bob", why="worse"))
    ]
    assert found == sorted(found, key=[old, new].index)
    assert set(found) == {old, new}


def test_what_a_dead_promotion_left_is_completed_by_whatever_moves_next(
    bundles: Bundles, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two, three = (releases.build(bundles, model).id for model in (b"one", b"two", b"three"))
    bundles.promote(one, by="ann", why="first")
    for b in each_death(home_folder, bundles, monkeypatch, lambda b: b.promote(two, by="ann", why="second")):
        moved = b.resolve("production") == two
        b.promote(three, by="ann", why="third")
        assert b.traffic().previous == (two if moved else one)
        assert [p.bundle for p in b.history() if p.done] == [one, *([two] if moved else []), three]
        assert b.rollback(by="bob", why="worse").bundle == (two if moved else one)


def test_an_import_that_dies_leaves_no_bundle_or_the_whole_of_it(
    bundles: Bundles, home_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built = releases.build(bundles, b"one")
    bundles.export(built.id, tmp_path / "one.tar")
    bundles.gc(keep=0, delete=True)
    assert bundles.list() == []
    left = each_death(home_folder, bundles, monkeypatch, lambda b: b.import_(tmp_path / "one.tar"))
    assert {len(b.list()) for b in left} == {0, 1}
    for b in left:
        for listed in b.list():
            b.open(listed.id)
        assert b.import_(tmp_path / "one.tar").id == built.id
        b.promote(built.id, by="ann", why="it is whole")


def test_a_collection_that_dies_leaves_no_half_of_a_bundle(
    bundles: Bundles, home_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [releases.build(bundles, model).id for model in (b"one", b"two", b"three")]
    bundles.promote(ids[0], by="ann", why="first")
    left = each_death(home_folder, bundles, monkeypatch, lambda b: b.gc(keep=0, delete=True))
    assert [len(b.list()) for b in left] == sorted((len(b.list()) for b in left), reverse=True)
    for b in left:
        assert ids[0] in [listed.id for listed in b.list()]
        for listed in b.list():
            b.promote(b.open(listed.id).id, "candidate", by="ann", why="it is whole")
