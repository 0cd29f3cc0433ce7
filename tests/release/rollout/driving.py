"""Rollouts carried out in a world: a look, then two seconds."""

from __future__ import annotations

from collections.abc import Callable

from tests.release.rollout.world import World

from remora.core.errors import RemoraError
from remora.release.rollout.commands import Action, Command, CommandQueue
from remora.release.rollout.controller import Controller
from remora.release.rollout.plan import Plan
from remora.release.rollout.start import start_rollout
from remora.release.rollout.state import Rollout, Rollouts
from remora.settings import Settings

PLAN = "shadow:10s,canary:5%:20s,ramp:25%:20s,full"
LOOK_SECONDS = 2.0
MOST_LOOKS = 400


def begun(world: World, plan: str = PLAN) -> Rollout:
    world.pass_by(LOOK_SECONDS)
    return start_rollout(
        world.bundles, bundle=world.candidate, plan=Plan.parse(plan), by="ann", why="try", now=world.now
    )


def controller(world: World, **more: Callable[..., object]) -> Controller:
    return Controller(world.settings, clock=world.clock, bundles=world.bundles, **more)  # type: ignore[arg-type]


def current(world: World) -> Rollout:
    return Rollouts(world.bundles.home).current()


def driven(world: World, by: Controller | None = None, *, until: Callable[[Rollout], bool] | None = None) -> Rollout:
    """Look until it has ended, or ``until`` says so."""
    by, until = by or controller(world), until or (lambda rollout: rollout.status.ended)
    for _ in range(MOST_LOOKS):
        rollout = by.look()
        if until(rollout):
            return rollout
        world.pass_by(LOOK_SECONDS)
    raise AssertionError(f"after {MOST_LOOKS} looks: {rollout.status} at {rollout.stage_name}")


def asked(world: World, what: Action, why: str = "") -> None:
    CommandQueue(world.bundles.home, current(world).id).ask(Command(what=what, by="bob", why=why))


def refusing(settings: Settings, bundle: str) -> None:
    """A proof that fails."""
    raise RemoraError("the process died by signal 11")
