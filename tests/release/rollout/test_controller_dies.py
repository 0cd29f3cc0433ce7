"""A controller that dies before any of its actions; another continues and comes to the same end."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.release.rollout.conftest import settings_at
from tests.release.rollout.driving import LOOK_SECONDS, MOST_LOOKS, asked, begun, controller, current
from tests.release.rollout.world import Nature, Pointers, World

from remora.core.errors import NotReady
from remora.core.home import Home
from remora.release.rollout.commands import Action, CommandQueue
from remora.release.rollout.start import controller_lock
from remora.release.rollout.state import Rollout, Status
from remora.settings import Settings

PLAN = "shadow:4s,canary:50%:4s,full"


class Killed(BaseException):
    """The process is gone."""


@contextmanager
def killed_before(action: int) -> Iterator[Callable[[], int]]:
    """Whatever is written to the home, or moved in the registry, is an action; yields how many there were."""
    done, write, point = 0, Home.write_bytes, Pointers.point

    def counted(work: Callable[..., None]) -> Callable[..., None]:
        def acting(*arguments: Any) -> None:
            nonlocal done
            done += 1
            if done == action:
                raise Killed
            work(*arguments)

        return acting

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Home, "write_bytes", counted(write))
        patch.setattr(Pointers, "point", counted(point))
        yield lambda: done


def settled(rollout: Rollout) -> list[tuple[str, str, int]]:
    """The journal but for times."""
    return [(entry.stage, entry.what, len(entry.why)) for entry in rollout.journal]


def carried_out(home: Path, play: Callable[[World, int], None], *, dies_before: int) -> tuple[World, Rollout, int]:
    """A whole rollout whose first controller dies before one of its actions; how many actions there were."""
    world = World(settings_at(home))
    begun(world, PLAN)
    one, actions = controller(world), 0
    for look in range(MOST_LOOKS):
        play(world, look)
        with killed_before(dies_before - actions) as counting:
            try:
                one.look()
            except Killed:
                one = controller(world)
        actions += counting()
        if current(world).status.ended:
            return world, current(world), actions
        world.pass_by(LOOK_SECONDS)
    raise AssertionError("it did not end")


def nothing(world: World, look: int) -> None:
    world.natures[world.candidate] = Nature(deadline_exceeded=0.0)


def harms_when_it_is_production(world: World, look: int) -> None:
    full = world.traffic.production == world.candidate
    world.natures[world.candidate] = Nature(failed=0.5 if full else 0.0)


def is_aborted_in_the_canary(world: World, look: int) -> None:
    if world.traffic.canary is not None and not CommandQueue(world.bundles.home, current(world).id).pending(()):
        asked(world, Action.ABORT)  # once, whoever hears it


@pytest.mark.parametrize("play", [nothing, harms_when_it_is_production, is_aborted_in_the_canary])
def test_whatever_it_dies_before_another_comes_to_the_same_end(
    tmp_path: Path, play: Callable[[World, int], None]
) -> None:
    world, rollout, actions = carried_out(tmp_path / "whole", play, dies_before=10**9)
    expected = {nothing: Status.DONE, harms_when_it_is_production: Status.ROLLED_BACK}
    assert rollout.status is expected.get(play, Status.ABORTED)
    assert (world.traffic.production == world.candidate) == (rollout.status is Status.DONE)
    promotions = [(p.bundle, p.previous) for p in world.bundles.history() if p.done]
    for action in range(1, actions + 1):
        other, ended, _ = carried_out(tmp_path / str(action), play, dies_before=action)
        assert ended.status is rollout.status
        assert settled(ended) == settled(rollout)
        assert other.traffic.model_copy(update={"revision": 0}) == world.traffic.model_copy(update={"revision": 0})
        moved = [(p.bundle, p.previous) for p in other.bundles.history()]
        assert list(dict.fromkeys(moved)) == promotions


def hold(settings: Settings, ready: Any) -> None:
    with controller_lock(settings):
        ready.set()
        signal.pause()


def test_a_killed_process_lets_go_and_a_second_controller_names_the_first(settings: Settings) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(settings, ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(NotReady, match="Another controller"), controller_lock(settings):
        pass
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(60)
    with controller_lock(settings):
        pass
