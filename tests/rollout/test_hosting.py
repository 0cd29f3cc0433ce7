"""The controller as an actor of a real cluster: it goes on when its process is killed, and goes when it has ended."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
from tests.registry import releases

from remora.contracts.errors import NotReady, Refused
from remora.registry.bundles import Bundles
from remora.rollout import hosting
from remora.rollout.begin import begin
from remora.rollout.controller import utc_now
from remora.rollout.plan import Plan
from remora.rollout.state import Rollouts, Status
from remora.settings import Settings

PATIENCE_SECONDS = 180.0


def refuses_when_told(settings: Settings, bundle: str) -> None:
    """A proof that says which process asks for it, waits until a file is there, and then fails."""
    Path(settings.home, "asked").write_text(str(os.getpid()))
    wait_for(Path(settings.home, "told").exists)
    raise Refused("told to")


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.usefixtures("ray_cluster")
def test_an_actor_that_is_killed_goes_on_and_ends_with_the_rollout(settings: Settings) -> None:
    bundles = Bundles(settings)
    bundles.promote(releases.build(bundles, b"old").id, by="ann", why="first")
    new = releases.build(bundles, b"new").id
    begin(bundles, bundle=new, plan=Plan.parse("full"), by="ann", why="", now=utc_now())
    hosting.host(settings, refuses_when_told)
    with pytest.raises(NotReady, match="already"):
        hosting.host(settings, refuses_when_told)
    asked = Path(settings.home, "asked")
    wait_for(asked.exists)
    first = ray.get(ray.get_actor(hosting.name_of(settings), hosting.NAMESPACE).pid.remote())
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: asked.read_text() not in ("", str(first)))
    Path(settings.home, "told").touch()
    wait_for(lambda: Rollouts(bundles.home).current().status.ended)
    assert Rollouts(bundles.home).current().status is Status.ROLLED_BACK
    wait_for(lambda: not hosting.hosted(settings))
