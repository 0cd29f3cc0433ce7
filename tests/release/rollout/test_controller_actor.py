"""The controller as an actor of a real cluster: it continues when its process is killed, and goes when it has ended."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

import pytest
from tests.registry import releases

from remora.core.errors import NotReady, Refused
from remora.registry.bundles import Bundles
from remora.release.rollout import controller_actor
from remora.release.rollout.controller import utc_now
from remora.release.rollout.plan import Plan
from remora.release.rollout.start import start_rollout
from remora.release.rollout.state import Rollouts, Status
from remora.settings import Settings

PATIENCE_SECONDS = 180.0


def refuses_on_request(settings: Settings, bundle: str) -> None:
    """A proof that says in one pipe which process asks for it, waits for a word in another, and then fails."""
    Path(settings.home, "asked").write_text(str(os.getpid()))
    Path(settings.home, "told").read_text()
    raise Refused("told to")


def said(pipe: int) -> int:
    """The process that a proof is made in, when it says so."""
    ready, _, _ = select.select([pipe], [], [], PATIENCE_SECONDS)
    assert ready
    return int(os.read(pipe, 100))


@pytest.mark.usefixtures("ray_cluster")
def test_an_actor_that_is_killed_continues_and_ends_with_the_rollout(settings: Settings) -> None:
    bundles = Bundles(settings)
    bundles.promote(releases.build(bundles, b"old").id, by="ann", why="first")
    new = releases.build(bundles, b"new").id
    start_rollout(bundles, bundle=new, plan=Plan.parse("full"), by="ann", why="", now=utc_now())
    for pipe in ("asked", "told"):
        os.mkfifo(Path(settings.home, pipe))
    asked = os.open(Path(settings.home, "asked"), os.O_RDWR)  # so that it has no end while a writer is gone
    controller_actor.start(settings, refuses_on_request)
    with pytest.raises(NotReady, match="already"):
        controller_actor.start(settings, refuses_on_request)
    first = said(asked)
    os.kill(first, signal.SIGKILL)
    assert said(asked) != first
    Path(settings.home, "told").write_text("fail")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while controller_actor.hosted(settings):
        assert time.monotonic() < deadline
    assert Rollouts(bundles.home).current().status is Status.ROLLED_BACK
    os.close(asked)
